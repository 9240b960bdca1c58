package command_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/node/command"
)

// TestPromotionIsRecordedByItsResult: when a HyperLogLog becomes too long for its sparse
// form is a matter of hll-sparse-max-bytes, which may differ where effects are applied.
func TestPromotionIsRecordedByItsResult(t *testing.T) {
	s := newSubject(t, 1, testNow, 2)
	s.strict = true
	promoted := ""
	for i := 0; promoted == ""; i++ {
		if i == 1000 {
			t.Fatal("it stays sparse")
		}
		s.do(raw("PFADD", "p", fmt.Sprint(i)))
		if e := s.effects(); strings.HasPrefix(e, "SET") {
			promoted = e
		}
	}
	if !strings.HasPrefix(promoted, `SET p HYLL\x00`) || !strings.HasSuffix(promoted, " KEEPTTL") {
		t.Errorf("effect %.40s", promoted)
	}
	s.do(raw("PFADD", "p", "another"))
	if got := s.effects(); got != "PFADD p another" {
		t.Errorf("effects of the next %.40q", got)
	}
	s.do(raw("PFADD", "q", "x"))
	s.do(raw("PFMERGE", "q", "p"))
	if got := s.effects(); got != "PFMERGE q p" {
		t.Errorf("effects of a merge with a dense one %.40q", got)
	}
	if err := s.checkReplica(); err != nil {
		t.Error(err)
	}
}

// TestCountWhereNothingIsRecorded: on a replica, and on a primary whose log is full,
// PFCOUNT leaves the string as it is.
func TestCountWhereNothingIsRecorded(t *testing.T) {
	s := newSubject(t, 1, testNow, 2)
	s.do(raw("PFADD", "p", "a", "b", "c"))
	before := s.ks.Digest()
	s.ctx.Mode = command.Replica
	for range 2 {
		if got, _ := s.do(raw("PFCOUNT", "p")); string(got) != ":3\r\n" {
			t.Errorf("count %q", got)
		}
	}
	if s.ks.Digest() != before || !s.unit.Empty() || len(s.touched) > 0 {
		t.Error("the string has changed")
	}
}

func TestSelfTest(t *testing.T) {
	s := newSubject(t, 1, testNow, 2)
	if got, _ := s.do(raw("PFSELFTEST")); string(got) != "+OK\r\n" {
		t.Errorf("%q", got)
	}
}
