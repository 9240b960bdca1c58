package testenv

import (
	"debug/buildinfo"
	"testing"
)

func TestRedoubtWithTags(t *testing.T) {
	tags := func(path string) string {
		t.Helper()
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range info.Settings {
			if s.Key == "-tags" {
				return s.Value
			}
		}
		return ""
	}
	plain, tagged := Redoubt(t), RedoubtWithTags(t, "broken")
	if got := tags(plain); got != "" {
		t.Errorf("%s is built with tags %q", plain, got)
	}
	if got := tags(tagged); got != "broken" {
		t.Errorf("%s is built with tags %q", tagged, got)
	}
	if again := Redoubt(t); again != plain {
		t.Errorf("first %s, then %s", plain, again)
	}
}
