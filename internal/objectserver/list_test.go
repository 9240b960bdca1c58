package objectserver

import (
	"slices"
	"strings"
	"testing"

	"github.com/rclone/gofakes3"
	"pgregory.net/rapid"
)

// modelList is what S3 says a listing is, over a sorted list of all keys.
func modelList(keys []string, prefix, delimiter string) []string {
	var out []string
	for _, k := range keys {
		if !strings.HasPrefix(k, prefix) {
			continue
		}
		if delimiter != "" {
			if i := strings.Index(k[len(prefix):], delimiter); i >= 0 {
				k = k[:len(prefix)+i+len(delimiter)]
			}
		}
		if len(out) == 0 || out[len(out)-1] != k {
			out = append(out, k)
		}
	}
	return out
}

// conflicts reports that one key is a directory of the other.
func conflicts(a, b string) bool {
	return strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

func TestListingAgainstModel(t *testing.T) {
	name := rapid.StringMatching(`[a.%\-0\x01]{0,2}`)
	part := rapid.Map(rapid.SliceOfN(name, 1, 4), func(n []string) string { return strings.Join(n, "/") })
	rapid.Check(t, func(rt *rapid.T) {
		d := newDisk(t, t.TempDir())
		var keys []string
		for _, k := range rapid.SliceOfNDistinct(part, 0, 12, rapid.ID).Draw(rt, "keys") {
			if k == "" || slices.ContainsFunc(keys, func(o string) bool { return conflicts(k, o) }) {
				continue
			}
			if err := putDisk(d, k, "v", nil); err != nil {
				rt.Fatalf("put %q: %v", k, err)
			}
			keys = append(keys, k)
		}
		slices.Sort(keys)
		prefix := gofakes3.Prefix{
			Prefix:    rapid.OneOf(rapid.Just(""), part).Draw(rt, "prefix"),
			Delimiter: rapid.SampledFrom([]string{"", "/", "a", "//"}).Draw(rt, "delimiter"),
		}
		page := gofakes3.ListBucketPage{MaxKeys: rapid.Int64Range(1, 4).Draw(rt, "page")}
		var got []string
		for range len(keys) + 1 {
			l, err := d.ListBucket(t.Context(), testBucket, &prefix, page)
			if err != nil {
				rt.Fatal(err)
			}
			var entries []string
			for _, c := range l.Contents {
				entries = append(entries, c.Key)
			}
			for _, p := range l.CommonPrefixes {
				entries = append(entries, p.Prefix)
			}
			slices.Sort(entries)
			got = append(got, entries...)
			if !l.IsTruncated {
				break
			}
			page.Marker, page.HasMarker = l.NextMarker, true
		}
		if want := modelList(keys, prefix.Prefix, prefix.Delimiter); !slices.Equal(got, want) {
			rt.Fatalf("prefix %q delimiter %q: got %q, want %q of %q", prefix.Prefix, prefix.Delimiter, got, want, keys)
		}
	})
}

func FuzzKeyPath(f *testing.F) {
	for _, k := range []string{"a/b", "..", "../..", "a//b/", "%", "%meta", "x%meta/y", "\x00\x1f\x7f", "é", "\xff\xfe", ".objectserver/lock"} {
		f.Add(k)
	}
	f.Fuzz(func(t *testing.T, key string) {
		p, err := keyPath(key)
		if err != nil {
			return
		}
		var names []string
		for n := range strings.SplitSeq(p, "/") {
			if n == "" || n == "." || n == ".." || len(n) > maxName || strings.ContainsAny(n, "\x00\n") || strings.HasSuffix(n, metaSuffix) {
				t.Fatalf("%q gives the name %q", key, n)
			}
			u, ok := unescapeName(n)
			if !ok {
				t.Fatalf("%q gives the name %q, which is not taken back", key, n)
			}
			names = append(names, u)
		}
		if got := strings.Join(names, "/"); got != key {
			t.Fatalf("%q comes back as %q", key, got)
		}
	})
}
