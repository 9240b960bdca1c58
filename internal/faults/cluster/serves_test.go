package cluster

import (
	"strings"
	"testing"
)

func TestServes(t *testing.T) {
	info := func(role, executed, link string) map[string]string {
		return map[string]string{"role": role, "seq_executed": executed, "master_link_status": link}
	}
	for _, c := range []struct {
		name  string
		info  map[string]string
		leads bool
		want  string // part of the error; "": serves
	}{
		{"primary", info("primary", "10", ""), true, ""},
		{"primary ahead of the commit point", info("primary", "12", ""), true, ""},
		{"replica", info("replica", "10", "up"), false, ""},
		{"replica behind", info("replica", "9", "up"), false, "has applied 9 of 10 entries"},
		{"replica without a primary", info("replica", "10", "down"), false, "knows of no primary"},
		{"loading", info("loading", "0", ""), false, `role "loading"`},
		{"deposed and not aware of it", info("primary", "12", ""), false, "with the leader key: false"},
		{"elected and not aware of it", info("replica", "10", "up"), true, "with the leader key: true"},
		{"no INFO", nil, false, "seq_executed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := serves(c.info, c.leads, 10)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
