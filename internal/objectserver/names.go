package objectserver

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/rclone/gofakes3"
)

const (
	// maxName bounds one escaped name in bytes, so that it and the suffix of
	// its metadata file fit in the 255 bytes a file name may have.
	maxName = 250
	// emptyName stands for the empty name between two slashes. No escaped name
	// is a lone %.
	emptyName = "%"
	// metaSuffix ends the name of a metadata file. No escaped name ends so,
	// because "%me" is no escape.
	metaSuffix = "%meta"
)

// keyPath turns an object key into a relative path of safe names, or fails
// with KeyTooLongError.
func keyPath(key string) (string, error) {
	if len(key) > gofakes3.KeySizeLimit {
		return "", gofakes3.ResourceError(gofakes3.ErrKeyTooLong, key)
	}
	valid := utf8.ValidString(key)
	names := strings.Split(key, "/")
	for i, n := range names {
		names[i] = escapeName(n, valid)
		if len(names[i]) > maxName {
			return "", gofakes3.ErrorMessagef(gofakes3.ErrKeyTooLong,
				"this server keeps objects as files: a name between slashes has at most %d bytes", maxName)
		}
	}
	return strings.Join(names, "/"), nil
}

func escapeName(n string, validUTF8 bool) string {
	switch n {
	case "":
		return emptyName
	case ".", "..":
		return strings.Repeat("%2E", len(n))
	}
	var b strings.Builder
	for i := range len(n) {
		c := n[i]
		if c < 0x20 || c == 0x7f || c == '%' || (c >= 0x80 && !validUTF8) {
			b.WriteByte('%')
			b.WriteString(strings.ToUpper(hex.EncodeToString([]byte{c})))
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// unescapeName is the inverse of escapeName. It reports false for a file name
// that escapeName never makes, which is then no object of ours.
func unescapeName(name string) (string, bool) {
	if name == emptyName {
		return "", true
	}
	b := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		if name[i] != '%' {
			b = append(b, name[i])
			continue
		}
		if i+3 > len(name) {
			return "", false
		}
		c, err := hex.DecodeString(name[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b = append(b, c[0])
		i += 2
	}
	n := string(b)
	// An escape of a byte from 0x80 up is right in either form: it depends on
	// the rest of the key.
	return n, escapeName(n, true) == name || escapeName(n, false) == name
}
