package main

import (
	"context"
	"fmt"
	"time"
)

func connectionAttackers() []Attacker {
	return []Attacker{
		{Name: "churn", About: "connect, say a little or nothing, and be gone", Family: Connections, Hands: 12, Attack: churn},
		{Name: "halfopen", About: "shut one half of the connection and keep the other", Family: Connections, Hands: 8, Attack: halfOpen},
		{Name: "idle", About: "hundreds of connections that say nothing", Family: Connections, Hands: 4, Attack: idle},
	}
}

func churn(ctx context.Context, h *Hand) error {
	for range h.Between(1, 100) {
		c, ok := h.Dial(ctx)
		if !ok {
			return nil
		}
		switch h.Rand.IntN(4) {
		case 0:
			c.Send(h.pipeline(1))
		case 1:
			c.Send([]byte("*2\r\n$3\r\nGE"))
		case 2:
			c.Request("PING")
		}
		c.Close()
	}
	return nil
}

func halfOpen(ctx context.Context, h *Hand) error {
	c, ok := h.Login(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	if h.Rand.IntN(2) == 0 {
		c.Drain()
		c.Send(h.pipeline(h.Between(1, 100)))
		c.nc.CloseWrite()
	} else {
		c.nc.CloseRead()
		c.Send(h.pipeline(h.Between(1, 1000)))
	}
	h.Pause(ctx, 100*time.Millisecond)
	return nil
}

func idle(ctx context.Context, h *Hand) error {
	crowd := h.Gather(ctx, h.Between(100, 500))
	defer crowd.Close()
	h.Pause(ctx, 2*time.Second)
	return nil
}

// Crowd is many connections that say nothing.
type Crowd []*Conn

// Gather connects n times, or as often as it can.
func (h *Hand) Gather(ctx context.Context, n int) Crowd {
	crowd := make(Crowd, 0, n)
	for len(crowd) < n {
		c, ok := h.Dial(ctx)
		if !ok {
			break
		}
		crowd = append(crowd, c)
	}
	return crowd
}

// Close ends all connections.
func (crowd Crowd) Close() {
	for _, c := range crowd {
		c.Close()
	}
}

// full is what Redis says to a client past maxclients.
const full = "-ERR max number of clients reached"

// TurnedAway connects to a server that has as many clients as it takes, and
// returns an error unless it is told so and closed.
func (h *Hand) TurnedAway(ctx context.Context) error {
	c, ok := h.Dial(ctx)
	if !ok {
		return fmt.Errorf("could not even connect: %w", errCut)
	}
	defer c.Close()
	line, err := c.Line()
	if line != full {
		return fmt.Errorf("past maxclients a client was told %q (%v), want %q", line, err, full)
	}
	if line, err := c.Line(); err == nil {
		return fmt.Errorf("past maxclients a client was told %q after its refusal", line)
	}
	return nil
}
