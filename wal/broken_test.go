//go:build broken

package wal

import (
	"fmt"
	"testing"

	"github.com/redoubtdb/redoubt/internal/broken"
)

func TestBrokenSplitTransaction(t *testing.T) {
	t.Cleanup(broken.Use(broken.SplitTransaction))
	w := newGatedWriter()
	a := NewAppender(w, 1, Position{}, AppenderConfig{})
	defer a.Close()
	transaction := &Unit{}
	for i := range 3 {
		transaction.Add(i, []byte("INCR"), []byte("a"))
	}
	if seq, err := a.Add(transaction); err != nil || seq != 3 {
		t.Fatalf("the transaction ends with entry %d, %v", seq, err)
	}
	if seq := add(t, a, "SET", "b", "1"); seq != 4 {
		t.Fatalf("the next unit is in entry %d", seq)
	}
	var tail Position
	for _, want := range []string{"[[0 INCR a]]", "[[1 INCR a]]", "[[2 INCR a]]", "[[0 SET b 1]]"} {
		e := <-w.began
		if err := tail.Check(e); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(effects(t, e.Payload)); got != want {
			t.Fatalf("entry %d holds %s, want %s", e.Seq, got, want)
		}
		tail = e.Position()
		w.answer <- nil
	}
}

func TestBrokenNewerFormat(t *testing.T) {
	t.Cleanup(broken.Use(broken.NewerFormat))
	p := Position{Seq: 6, Epoch: 2, Chain: 99}
	enc := Encode(nil, p.Next(KindEffects, 2, 5, unit(0, "SET", "k", "v").AppendTo(nil)))
	enc[3] = formatVersion + 1
	e, err := Decode(enc)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(e); err != nil || len(e.Payload) != 0 || e.Kind != KindEffects {
		t.Fatalf("%+v, %v", e, err)
	}
	if _, err := Decode(enc[:headerSize-1]); err == nil {
		t.Fatal("half a header was read")
	}
}
