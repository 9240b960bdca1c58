package command

// Channels says where the publish/subscribe channels are that a command publishes to or
// subscribes to, for access control. Those it unsubscribes from are no matter of it.
type Channels struct {
	First, Last int  // argument numbers; Last from the end when negative
	Patterns    bool // they are patterns of channels
}

// End is the argument number after the last channel of a request with n arguments.
func (c *Channels) End(n int) int {
	if c.Last < 0 {
		return n + c.Last + 1
	}
	return min(n, c.Last+1)
}
