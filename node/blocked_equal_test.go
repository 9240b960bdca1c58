package node

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
)

// crowd is several connections to one server.
type crowd struct {
	t     *testing.T
	conns map[string]*commandtest.Client
	ids   map[string]string
	addr  string
}

func newCrowd(t *testing.T, addr string) *crowd {
	c := &crowd{t: t, addr: addr, conns: map[string]*commandtest.Client{}, ids: map[string]string{}}
	for _, who := range []string{"1", "2", "3", "4", "x"} {
		c.conns[who] = commandtest.Dial(t, addr)
		c.ids[who] = strings.TrimSpace(string(c.conns[who].Do("CLIENT", "ID")))[1:]
	}
	c.do("x", "FLUSHALL")
	return c
}

func (c *crowd) close() {
	for _, conn := range c.conns {
		conn.Close()
	}
}

// send sends a request in which {2} stands for the id of connection 2.
func (c *crowd) send(who, request string) {
	var args [][]byte
	for _, w := range words(request) {
		for other, id := range c.ids {
			w = strings.ReplaceAll(w, "{"+other+"}", id)
		}
		args = append(args, []byte(w))
	}
	c.conns[who].Send(args...)
	c.conns[who].Flush()
}

func (c *crowd) do(who, request string) string {
	c.send(who, request)
	return string(c.conns[who].Receive())
}

var blockedFlag = regexp.MustCompile(` flags=\w*b`)

// block sends a request and waits until it blocks.
func (c *crowd) block(who, request string) {
	c.t.Helper()
	c.send(who, request)
	testenv.Eventually(c.t, 10*time.Second, request+" to block", func(context.Context) error {
		if list := c.do("x", "CLIENT LIST ID "+c.ids[who]); !blockedFlag.MatchString(list) {
			return fmt.Errorf("%s", list)
		}
		return nil
	})
}

// TestBlockingEqualsRedis plays scenes with several clients on a node and on a real
// redis-server. A line "1> request" is answered at once, "1! request" blocks, and
// "1<" is the reply to what has blocked.
func TestBlockingEqualsRedis(t *testing.T) {
	redis := testenv.StartRedis(t)
	n := startNode(t, nil)
	play(t, n.Addr(), redis.Addr, map[string]string{
		"who waits longest": `
			1! blpop k 0
			2! brpop k 0
			3! blpop k 0
			4> rpush k a b
			1<
			2<
			4> llen k
			4> lpush k c d
			3<
			4> lrange k 0 -1`,
		"several keys": `
			1! blpop a b a 0
			2! blpop b 0
			4> rpush b 1
			1<
			4> rpush a 2
			4> rpush b 3
			2<
			4> lrange a 0 -1`,
		"what is there is taken at once": `
			4> rpush k a b c d e
			1> blpop nokey k 0
			1> brpop k nokey 0
			1> blmove k l right left 0
			1> brpoplpush k l 0
			1> blmpop 0 2 nokey l left count 5
			1> blmpop 0 1 k right
			1> exists k l`,
		"sorted sets": `
			1! bzpopmin z y 0
			2! bzpopmax z 0
			3! bzmpop 0 2 y z min count 3
			4> zadd z 1 a 2 b 3 c 4 d
			1<
			2<
			3<
			4> zcard z
			1! bzpopmin z 0
			2! blpop z 0
			4> rpush z x
			2<
			4> set z x
			4> del z
			4> geoadd z 1 2 place
			1<
			1! bzmpop 0 1 z max
			4> zadd y 1 a
			4> zunionstore z 1 y weights 2
			1<
			1> bzpopmax z 0.01
			1> bzpopmin z x
			1> bzmpop -1 1 z min
			1> bzmpop 0 0 z min
			1> bzpopmin y 0
			1> exists y z`,
		"time": `
			1> blpop k 0.05
			2> brpoplpush k l 0.05
			3> blmpop 0.05 2 k l left
			1> blmove k l left right 0.01
			4> rpush k a
			4> llen k`,
		"bad times": `
			1> blpop k -1
			1> blpop k -0.01
			1> blpop k x
			1> blpop k ""
			1> blpop k nan
			1> brpop k 1e
			1> blmove a b left right -1
			1> blmove a b left middle -1
			1> brpoplpush a b x
			1> blmpop x 1 k left
			1> blmpop -1 1 k left
			1> blmpop 0 0 k left
			1> blmpop 0 1 k left count 0
			1> blmpop 0 2 k left`,
		"transactions do not block": `
			1> multi
			1> blpop k 0
			1> brpop k 0
			1> blmove a b left right 0
			1> brpoplpush a b 0
			1> blmpop 0 1 k left
			1> exec
			1> multi
			1> rpush k a
			1> blpop k 0
			1> blpop k x
			1> exec`,
		"transactions are one step": `
			1! blpop k 0
			4> multi
			4> rpush k a
			4> rpush k b
			4> lpop k
			4> exec
			1<
			1! blpop k 0
			4> multi
			4> rpush k c
			4> del k
			4> exec
			4> multi
			4> del k
			4> rpush k d e
			4> ltrim k 1 1
			4> exec
			1<
			4> exists k`,
		"chains": `
			1! blmove a b left right 0
			2! blmove b c left right 0
			3! blpop c 0
			4> rpush a x y
			1<
			2<
			3<
			4> lrange a 0 -1
			1! brpoplpush r r 0
			2! brpoplpush r r 0
			4> rpush r 1 2 3
			1<
			2<
			4> lrange r 0 -1`,
		"a chain back": `
			1! blmove a b left left 0
			2! blmove b a right right 0
			3! blpop a 0
			4> rpush a x
			1<
			2<
			3<
			4> exists a b`,
		"other types": `
			1! blpop k 0
			4> set k v
			4> append k v
			4> del k
			4> hset k f v
			4> del k
			4> rpush k a
			1<
			1! blmove k dst left left 0
			2! blpop k 0
			4> set dst v
			4> rpush k b
			1<
			2<
			1> blpop dst k 0
			1> blmove k dst left left 0.01
			1> blmove dst k left left 0
			4> rpush k a
			1> blmove k dst left left 0`,
		"other ways to make a list": `
			1! blpop k 0
			4> rpush other a b
			4> rename other k
			1<
			4> rename k other
			1! blpop k 0
			4> copy other k
			1<
			1! blpop k 0
			4> select 1
			4> rpush k z
			4> move k 0
			1<
			1! blpop k 0
			4> rpush k zz
			4> swapdb 0 1
			1<
			4> swapdb 0 1
			4> select 0
			1! blpop k 0
			4> lpushx k a
			4> flushall
			4> lpush k c
			1<`,
		"watch while waiting": `
			1! brpoplpush k d 0
			3> watch d
			3> multi
			3> ping
			3> exec
			3> watch d
			4> lpush k a
			1<
			3> multi
			3> ping
			3> exec`,
		"watch": `
			3> watch k
			1! blpop k 0
			4> rpush k a
			1<
			3> multi
			3> ping
			3> exec
			1> watch m
			1! blpop k 0
			4> rpush k b
			1<
			1> multi
			1> ping
			1> exec
			1> watch k
			1! blpop k 0
			4> rpush k b
			1<
			1> multi
			1> ping
			1> exec`,
		"unblock": `
			1! blpop k 0
			2! blmove k l left left 0
			4> client unblock {1} maybe
			4> client unblock x
			4> client unblock {1} error x
			4> client unblock {4}
			4> client unblock 99999999
			4> client unblock {1} error
			1<
			4> client unblock {1}
			4> client unblock {2} timeout
			2<
			1! blmpop 0 1 k left
			4> client unblock {1}
			1<
			4> rpush k a
			4> llen k
			1> ping`,
		"resp3": `
			1> hello 3
			1> blpop k 0.01
			1! blpop k 0
			4> rpush k a b c
			1<
			1> blmpop 0 1 k left count 2
			1> multi
			1> blpop k 0
			1> blmove a b left right 0
			1> exec`,
		"streams": `
			1! xread block 0 streams k 0
			2! xread block 0 count 1 streams other k $ $
			3! xread count 3 block 0 streams k k 5 5-5
			4> xadd k 5 a 1
			1<
			2<
			4> xadd k 5-5 a 1
			4> xadd k 6 a 2
			3<
			4> xtrim k maxlen 0
			1! xread block 0 streams k $
			4> xdel k 6
			4> multi
			4> xadd k 7 a 1
			4> xadd k 8 b 2
			4> exec
			1<
			1> xread block 0 streams k 6
			1> xread block -1 streams k $
			1> xread block x streams k $
			1> xread block 1.5 streams k $
			1> xread block 20 streams k $
			1! xread block 0 streams new $
			4> set new v
			4> del new
			4> xadd new 1 a 1
			1<
			1! xread block 0 streams moved $
			4> rename new moved
			4> xadd moved 2 a 1
			1<`,
		"groups of readers": `
			4> xgroup create k g 0 mkstream
			1! xreadgroup group g a block 0 streams k >
			2! xreadgroup group g b count 1 block 0 streams k >
			3! xread block 0 streams k $
			4> xadd k 1 f v
			1<
			3<
			4> multi
			4> xadd k 2 f v
			4> xadd k 3 f v
			4> exec
			2<
			4> xpending k g
			1> xreadgroup group g a block 0 streams k >
			1> xreadgroup group g a block 20 streams k >
			1! xreadgroup group g a noack block 0 streams k >
			4> xgroup create k h 0
			4> xack k g 1
			4> xadd k 4 f v
			1<
			1> xreadgroup group g a block 0 streams k 0
			1> xreadgroup group g nobody block 0 streams k 0
			4> xpending k g
			4> xinfo groups k`,
		"streams in transactions": `
			1> xadd k 1 f v
			1> xgroup create k g $
			1> multi
			1> xread block 0 streams k $
			1> xread block 0 streams k 0
			1> xreadgroup group g a block 0 streams k >
			1> exec`,
		"streams in resp3": `
			1> hello 3
			1! xread block 0 streams a b 0 0
			4> xadd b 1 f v
			1<
			1> xread block 20 streams a 0`,
		"databases": `
			1> select 2
			1! blpop k 0
			4> rpush k a
			4> select 2
			4> rpush k b
			1<
			4> llen k`,
	})
}

// until repeats a request until it is answered so.
func (c *crowd) until(who, request, want string) {
	c.t.Helper()
	testenv.Eventually(c.t, 10*time.Second, request+" to answer "+want, func(context.Context) error {
		if got := c.do(who, request); got != want {
			return errors.New(got)
		}
		return nil
	})
}

// play plays scenes on two servers and compares the replies, as
// TestBlockingEqualsRedis says. "1? request" sends and waits for nothing, "1~ request" is
// repeated until there is nothing any more.
func play(t *testing.T, ourAddr, theirAddr string, scenes map[string]string) {
	for name, script := range scenes {
		t.Run(name, func(t *testing.T) {
			ours, theirs := newCrowd(t, ourAddr), newCrowd(t, theirAddr)
			defer ours.close()
			defer theirs.close()
			for line := range strings.Lines(script) {
				line = strings.TrimSpace(line)
				if line == "" {
					continue
				}
				who, what, request := line[:1], line[1], strings.TrimSpace(line[2:])
				var got, want string
				switch what {
				case '!':
					ours.block(who, request)
					theirs.block(who, request)
				case '>':
					got, want = ours.do(who, request), theirs.do(who, request)
				case '?':
					ours.send(who, request)
					theirs.send(who, request)
				case '~':
					ours.until(who, request, "$-1\r\n")
					theirs.until(who, request, "$-1\r\n")
				case '<':
					got, want = string(ours.conns[who].Receive()), string(theirs.conns[who].Receive())
				}
				got, want = string(impersonal([]byte(got))), string(impersonal([]byte(want)))
				if got != want {
					t.Errorf("%s\n got  %q\n want %q", line, got, want)
				}
			}
		})
	}
}

// What 7.2 does and 7.0 did not: the whole command is run again, so a client is served
// from the first of its keys, and meets a key of another type before it; a timeout
// has a bound.
func TestBlockingAsRedis72(t *testing.T) {
	n := startNode(t, nil)
	w, c := talk(t, n), talk(t, n)
	c.block(n, "BLPOP a b 0")
	w.send("MULTI\r\nRPUSH b 1\r\nRPUSH a 2\r\nEXEC")
	if got := c.reply(); got != "[a 2]" {
		t.Errorf("served %s", got)
	}
	for range 4 {
		w.reply()
	}
	w.ask("DEL a b")
	c.block(n, "BLPOP a b 0")
	w.ask("SET a v")
	w.ask("RPUSH b 1")
	if got := c.reply(); !strings.HasPrefix(got, "-WRONGTYPE") {
		t.Errorf("served %s", got)
	}
	for timeout, want := range map[string]string{
		"inf": "-ERR timeout is out of range", "1e300": "-ERR timeout is out of range",
		"9223372036854775": "-ERR timeout is out of range", "-inf": "-ERR timeout is negative",
	} {
		if got := c.get("BLPOP nokey " + timeout); got != want {
			t.Errorf("timeout %s: %s", timeout, got)
		}
	}
	c.block(n, "BLPOP nokey 9000000000000000")
	w.ask("RPUSH nokey a")
	if got := c.reply(); got != "[nokey a]" {
		t.Errorf("served %s", got)
	}
}
