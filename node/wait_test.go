package node

import "testing"

func TestWaitAOF(t *testing.T) {
	n, kv := heldNode(t, nil)
	c := talk(t, n)
	for request, want := range map[string]string{
		"WAITAOF x 0 0":  "-ERR value is not an integer or out of range",
		"WAITAOF 2 0 0":  "-ERR value is out of range, value must between 0 and 1",
		"WAITAOF -1 0 0": "-ERR value is out of range, value must between 0 and 1",
		"WAITAOF 1 -1 0": "-ERR value is out of range, must be positive",
		"WAITAOF 1 0 x":  "-ERR timeout is not an integer or out of range",
		"WAITAOF 1 0 -1": "-ERR timeout is negative",
		"WAITAOF 1 0":    "-ERR wrong number of arguments for 'waitaof' command",
	} {
		if got := c.ask(request); got != want {
			t.Errorf("%s: %q, want %q", request, got, want)
		}
	}

	kv.close()
	other := talk(t, n)
	other.send("SET k v")
	other.waits(n, 1)
	for _, request := range []string{"WAITAOF 1 0 0", "WAITAOF 0 5 1", "WAIT 0 0"} {
		w := talk(t, n)
		w.send(request)
		w.waits(n, 1)
		defer func() {
			want := "*2:1:0"
			if request == "WAIT 0 0" {
				want = ":0"
			}
			got := w.line()
			if got == "*2" {
				got += w.line() + w.line()
			}
			if got != want {
				t.Errorf("%s after the commit: %q, want %q", request, got, want)
			}
		}()
	}
	kv.release()
}
