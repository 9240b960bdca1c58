package workload

import (
	"context"
	"fmt"
	"sync"
)

// Queues uses lists as queues: producers LPUSH, consumers RPOP and BRPOP, or LMOVE
// to a list of what is in hand, from where they give it back by LMOVE or are done
// with it by LREM. LRANGE and LLEN look on.
type Queues struct {
	env *Env
	ops operations

	mu    sync.Mutex
	books map[string]*parcels // by queue
}

// NewQueues is the workload of one round.
func NewQueues(env *Env) *Queues {
	return &Queues{env: env, ops: operations{limit: fewUnknown}, books: map[string]*parcels{}}
}

// blockSeconds is how long BRPOP and BLMOVE wait: far less than replyTimeout.
const blockSeconds = "0.1"

// Name is "queue".
func (w *Queues) Name() string { return "queue" }

// Clients share few keys, so that operations on one key overlap.
func (w *Queues) Clients() int { return 4 }

// Operations is how many operations were recorded.
func (w *Queues) Operations() int { return w.ops.count() }

// Run pushes and takes out at random, a little more of the latter, so that queues
// are short and now and then somebody waits.
func (w *Queues) Run(ctx context.Context, n int, c *Client) {
	inHand := map[string]string{} // one value a queue
	for i := 0; c.Connect(ctx) && c.Think(ctx); i++ {
		queue := w.env.key(w.Name(), "{", w.env.generation(), "-", c.Rand.IntN(3), "}")
		switch p := c.Rand.IntN(100); {
		case p < 20 || w.ops.crowded(queue):
			w.look(c, queue)
		case p < 48:
			w.push(c, queue, fmt.Sprintf("%d.%d", n, i))
		default:
			w.consume(c, queue, inHand)
		}
	}
}

// The two lists of a queue. Its name has a hash tag, so that both are in one slot.
func waiting(queue string) string { return queue + ":waiting" }
func taken(queue string) string   { return queue + ":taken" }

// book is of the values of one queue.
func (w *Queues) book(queue string) *parcels {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.books[queue] == nil {
		w.books[queue] = newParcels()
	}
	return w.books[queue]
}

// push adds one value or two at once.
func (w *Queues) push(c *Client, queue, value string) {
	values := []string{value}
	if c.Rand.IntN(3) == 0 {
		values = []string{value + "a", value + "b"}
	}
	command := []any{"LPUSH", waiting(queue)}
	for _, v := range values {
		command = append(command, v)
	}
	book := w.book(queue)
	book.push(values) // somebody may pop it before the answer has come
	r := w.write(c, queue, queueOp{kind: "push", values: listOf(values...)}, Result.number, command...)
	book.pushed(values, r)
}

func (w *Queues) consume(c *Client, queue string, inHand map[string]string) {
	if value := inHand[queue]; value != "" && c.Rand.IntN(2) == 0 {
		delete(inHand, queue)
		r := w.write(c, queue, queueOp{kind: "finish", values: listOf(value)}, Result.number, "LREM", taken(queue), 1, value)
		w.removed(queue, r, value, r.Int() == 1)
		return
	}
	switch p := c.Rand.IntN(100); {
	case p < 40:
		r := w.write(c, queue, queueOp{kind: "pop"}, Result.text, "RPOP", waiting(queue))
		w.removed(queue, r, r.String(), r.String() != "")
	case p < 60:
		command := []any{"BRPOP", waiting(queue), blockSeconds}
		r := w.write(c, queue, queueOp{kind: "pop"}, poppedOf, command...)
		value, _ := poppedOf(r).(string)
		w.removed(queue, r, value, value != "")
	case p < 65:
		w.write(c, queue, queueOp{kind: "return"}, Result.text, "LMOVE", taken(queue), waiting(queue), "LEFT", "RIGHT")
	case p < 85:
		r := w.write(c, queue, queueOp{kind: "take"}, Result.text, "LMOVE", waiting(queue), taken(queue), "RIGHT", "LEFT")
		inHand[queue] = r.String()
	default:
		r := w.write(c, queue, queueOp{kind: "take"}, Result.text, "BLMOVE", waiting(queue), taken(queue), "RIGHT", "LEFT", blockSeconds)
		inHand[queue] = r.String()
	}
}

// number and text are an answer as models compare it.
func (r Result) number() any { return r.Int() }
func (r Result) text() any   { return r.String() }

// poppedOf is the value in BRPOP's reply, which names the key before it.
func poppedOf(r Result) any {
	if list, _ := r.Value.([]any); len(list) == 2 {
		if value, ok := list[1].(string); ok {
			return value
		}
	}
	return ""
}

func (w *Queues) write(c *Client, queue string, op queueOp, output func(Result) any, command ...any) Result {
	r := c.Write(command...)
	w.env.reportError(w.Name(), r, command...)
	w.ops.addWrite(queue, r, op, output(r))
	return r
}

// removed notes the answer to a command that takes a value out of the queue.
func (w *Queues) removed(queue string, r Result, value string, found bool) {
	if err := w.book(queue).removed(r, value, found); err != nil {
		w.env.Report(w.Name(), "%s: %v", queue, err)
	}
}

func (w *Queues) look(c *Client, queue string) {
	switch c.Rand.IntN(3) {
	case 0:
		r := c.Read("LLEN", waiting(queue))
		w.env.reportError(w.Name(), r, "LLEN", waiting(queue))
		w.ops.addRead(queue, r, queueOp{kind: "len"}, r.Int())
	case 1:
		r := c.Read("LRANGE", waiting(queue), 0, -1)
		if w.env.reportError(w.Name(), r, "LRANGE", waiting(queue)) || r.Outcome != Done {
			return
		}
		list, err := listOfReply(r.Value)
		if err != nil {
			w.env.Report(w.Name(), "%s: LRANGE: %v", queue, err)
			return
		}
		w.ops.addRead(queue, r, queueOp{kind: "range"}, list)
	default:
		w.lookAtAll(c, queue)
	}
}

// lookAtAll reads both lists at once.
func (w *Queues) lookAtAll(c *Client, queue string) (queueValue, Result) {
	r := c.Exec(false, Cmd("LRANGE", waiting(queue), 0, -1), Cmd("LRANGE", taken(queue), 0, -1))
	if w.env.reportError(w.Name(), r, "MULTI LRANGE LRANGE EXEC", queue) || r.Outcome != Done {
		return queueValue{}, r
	}
	all, err := parseQueue(r.Value)
	if err != nil {
		w.env.Report(w.Name(), "%s: %v", queue, err)
		return queueValue{}, r
	}
	w.ops.addRead(queue, r, queueOp{kind: "all"}, all)
	return all, r
}

// Check judges every queue on its own, value by value and as a whole.
func (w *Queues) Check(ctx context.Context, c *Client) error {
	err := w.ops.readBack(ctx, c, func(queue string) Result {
		all, r := w.lookAtAll(c, queue)
		if r.Outcome == Done && r.Err == nil {
			if err := w.book(queue).compare(all); err != nil {
				w.env.Report(w.Name(), "%s: %v", queue, err)
			}
		}
		return r
	})
	if err != nil {
		return err
	}
	return w.ops.checkKeys(ctx, w.env, w.Name(), queueModel)
}
