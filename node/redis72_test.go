package node

import "testing"

// TestRepliesOfRedis72 are those that the redis-server of the other tests, 7.0, does not
// know.
func TestRepliesOfRedis72(t *testing.T) {
	n := startNode(t, nil)
	c := talk(t, n)
	for request, want := range map[string]string{
		"CLIENT NO-TOUCH on":    "+OK",
		"CLIENT NO-TOUCH OFF":   "+OK",
		"CLIENT NO-TOUCH maybe": "-ERR syntax error",
		"CLIENT NO-TOUCH":       "-ERR wrong number of arguments for 'client|no-touch' command",
	} {
		if got := c.ask(request); got != want {
			t.Errorf("%s: %q, want %q", request, got, want)
		}
	}
}
