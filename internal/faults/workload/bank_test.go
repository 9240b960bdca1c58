package workload

import (
	"slices"
	"testing"
	"time"
)

// moved is an open bank after amounts went from account 0 to account 1.
func moved(amounts ...int64) bankValue {
	b := openedBank()
	for _, n := range amounts {
		b.balances[0] -= n
		b.balances[1] += n
	}
	return b
}

func TestBankModel(t *testing.T) {
	open, audit := bankOp{kind: "open"}, bankOp{kind: "audit"}
	transfer := func(n int64) bankOp { return bankOp{kind: "transfer", from: 0, to: 1, amount: n} }
	look := bankOp{kind: "look", from: 0, to: 1}
	cas := func(a, b, n int64) bankOp {
		return bankOp{kind: "cas", from: 0, to: 1, amount: n, seen: [2]int64{a, b}}
	}
	both := func(a, b int64) [2]int64 { return [2]int64{a, b} }
	opened := op(1, 2, open, true)
	judgeAll(t, bankModel, []verdict{
		{"not opened yet", true, history{op(1, 2, audit, bankValue{}), op(3, 4, open, true), op(5, 6, audit, moved())}},
		{"opened by the first of two", true, history{op(1, 9, open, true), op(2, 8, open, false), op(10, 11, audit, moved())}},
		{"opened by nobody", false, history{op(1, 9, open, false), op(2, 8, open, false)}},
		{"opened twice", false, history{op(1, 9, open, true), op(2, 8, open, true)}},
		{"opened again over transfers", false, history{
			opened, op(3, 4, transfer(5), both(95, 105)), op(5, 6, open, false), op(7, 8, audit, moved())}},
		{"the opening is lost", false, history{opened, op(3, 4, audit, bankValue{})}},
		{"a transfer before the opening", false, history{op(1, 2, transfer(5), both(-5, 5)), op(3, 4, open, true)}},
		{"one after the other", true, history{
			opened, op(3, 4, transfer(5), both(95, 105)), op(5, 6, look, both(95, 105)), op(7, 8, cas(95, 105, 7), true),
			op(9, 10, cas(95, 105, 1), false), op(11, 12, audit, moved(5, 7))}},
		{"two that overlap", true, history{
			opened, op(3, 9, transfer(5), both(88, 112)), op(4, 8, transfer(7), both(93, 107)), op(10, 11, audit, moved(5, 7))}},
		{"an acknowledged transfer is lost", false, history{opened, op(3, 4, transfer(5), both(95, 105)), op(5, 6, audit, moved())}},
		{"a transfer is done twice", false, history{opened, op(3, 4, transfer(5), both(95, 105)), op(5, 6, audit, moved(5, 5))}},
		{"half of a transfer is answered", false, history{opened, op(3, 4, transfer(5), both(95, 100))}},
		{"half of a transfer is seen", false, history{opened, op(3, 9, transfer(5), both(95, 105)), op(4, 5, look, both(95, 100))}},
		{"two replaced the same balances", false, history{opened, op(3, 9, cas(100, 100, 5), true), op(4, 8, cas(100, 100, 7), true)}},
		{"WATCH gave a false alarm", true, history{opened, op(3, 4, cas(100, 100, 5), false), op(5, 6, audit, moved())}},
		{"a stale audit", false, history{
			opened, op(3, 9, transfer(5), both(95, 105)), op(4, 5, audit, moved(5)), op(6, 7, audit, moved())}},

		{"unknown, and never", true, history{opened, lost(3, transfer(5)), op(5, 6, audit, moved())}},
		{"unknown, and at once", true, history{opened, lost(3, transfer(5)), op(5, 6, audit, moved(5))}},
		{"unknown, and late", true, history{
			opened, lost(3, transfer(5)), op(5, 6, audit, moved()), op(7, 8, transfer(7), both(93, 107)), op(9, 10, audit, moved(7, 5))}},
		{"unknown, seen and gone again", false, history{
			opened, lost(3, transfer(5)), op(5, 6, audit, moved(5)), op(7, 8, audit, moved())}},
		{"unknown, and twice", false, history{opened, lost(3, transfer(5)), op(5, 6, audit, moved(5, 5))}},
		{"unknown EXEC over balances that have changed", false, history{
			opened, lost(3, cas(100, 100, 5)), op(5, 6, transfer(7), both(93, 107)), op(7, 8, audit, moved(5, 7))}},
		{"unknown opening, and late", true, history{
			lost(1, open), op(3, 4, audit, bankValue{}), op(5, 6, audit, moved()), op(7, 8, open, false)}},
		{"unknown openings, and none of them", true, history{lost(1, open), lost(2, open), op(5, 6, open, true), op(7, 8, audit, moved())}},
		{"unknown openings, and before they were sent", false, history{op(1, 2, audit, moved()), lost(3, open), lost(4, open)}},
		{"unknown opening, seen and gone again", false, history{lost(1, open), op(3, 4, audit, moved()), op(5, 6, audit, bankValue{})}},
	})
}

func TestIdleOpensAreLeftOut(t *testing.T) {
	open := bankOp{kind: "open"}
	first, answered := lost(2, open), op(4, 5, open, false)
	got := withoutIdleOpens(history{lost(3, open), answered, first, lost(7, open)})
	calls := make([]int64, len(got))
	for i, o := range got {
		calls[i] = o.Call
	}
	if want := []int64{answered.Call, first.Call}; !slices.Equal(calls, want) {
		t.Errorf("kept those called at %v, want %v", calls, want)
	}
}

func TestParseBank(t *testing.T) {
	list := func(change func([]any)) []any {
		l := make([]any, accounts)
		for i := range l {
			l[i] = "100"
		}
		change(l)
		return l
	}
	for _, tt := range []struct {
		name  string
		reply any
		want  bankValue
		err   string
	}{
		{"opened", list(func([]any) {}), moved(), ""},
		{"overdrawn", list(func(l []any) { l[0], l[1] = "-50", "250" }), moved(150), ""},
		{"not opened", make([]any, accounts), bankValue{}, ""},
		{"one is missing", list(func(l []any) { l[9] = nil }), bankValue{}, "1 of 10 accounts are not there"},
		{"half a transfer", list(func(l []any) { l[3] = "95" }), bankValue{}, "the sum is 995, want 1000"},
		{"no number", list(func(l []any) { l[3] = "ten" }), bankValue{}, "account 3 holds ten"},
		{"too few", list(func([]any) {})[1:], bankValue{}, "9 balances, want 10"},
		{"no list", "OK", bankValue{}, "0 balances, want 10"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseBank(tt.reply)
			expectError(t, tt.reply, err, tt.err)
			if err == nil && got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func TestBank(t *testing.T) {
	env := shard(t, nil, nil)
	w := NewBank(env)
	runFor(t, env, w, 1500*time.Millisecond)
	expectClean(t, env, w)
	if n := w.audits.Load(); n < 100 {
		t.Errorf("%d audits of copies", n)
	}
	kinds := map[string]int{}
	for _, bank := range w.ops.keys() {
		for _, o := range w.ops.byKey[bank] {
			kinds[o.Input.(bankOp).kind]++
		}
	}
	for _, kind := range []string{"open", "transfer", "look", "cas", "audit"} {
		if kinds[kind] == 0 {
			t.Errorf("no %s among %v", kind, kinds)
		}
	}
}

func TestBankFindsLies(t *testing.T) {
	for _, tt := range []struct {
		name             string
		primary, replica lie
		what             string
	}{
		{name: "half of a transfer", what: "the sum is",
			primary: sometimes("INCRBY", func(c []string) []string {
				return eval("return redis.call('GET', KEYS[1]) + ARGV[1]", c[1], c[2])
			})},
		{name: "WATCH watches nothing", what: "the sum is",
			primary: always("WATCH", func([]string) []string { return sayOK })},
		{name: "opened again and again", what: "no order of the",
			primary: always("MSETNX", func(c []string) []string {
				return append([]string{"EVAL", "redis.call('MSET', unpack(ARGV)) return 1", "0"}, c[1:]...)
			})},
		{name: "half of a transfer on a replica", what: "audit of the copy on node-1",
			replica: sometimes("MGET", func(c []string) []string {
				return append([]string{"EVAL", "local all = redis.call('MGET', unpack(ARGV)) all[1] = '1000000' return all", "0"}, c[1:]...)
			})},
		{name: "half of an opening on a replica", what: "of 10 accounts are not there",
			replica: sometimes("MGET", func(c []string) []string {
				return append([]string{"EVAL", "local all = redis.call('MGET', unpack(ARGV)) all[1] = false return all", "0"}, c[1:]...)
			})},
		{name: "a transfer is answered with an error", what: "was answered with ERR",
			primary: sometimes("DECRBY", func(c []string) []string { return eval("return redis.error_reply('ERR no')") })},
		{name: "an account holds no number", what: "was answered with",
			primary: sometimes("INCRBY", func([]string) []string { return sayOK })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := shard(t, tt.primary, tt.replica)
			runUntilFound(t, env, NewBank(env), time.Second, tt.what)
		})
	}
}

// bankReference is the accounts by number.
type bankReference map[int]int64

func (s bankReference) choose(d dice, i int) (any, bool) {
	op := bankOp{from: d.IntN(accounts), amount: int64(1 + i)}
	op.to = (op.from + 1 + d.IntN(accounts-1)) % accounts
	choice := d.IntN(6)
	if len(s) == 0 {
		choice = 4 * d.IntN(2) // nobody transfers before the bank is open
	}
	switch choice {
	case 0:
		return bankOp{kind: "open"}, true
	case 1, 2:
		op.kind = "transfer"
	case 3:
		op.kind, op.seen = "cas", [2]int64{s[op.from], s[op.to]}
		op.seen[d.IntN(2)] += int64(d.IntN(2))
	case 4:
		return s.readAll(), false
	default:
		op.kind = "look"
		return op, false
	}
	return op, true
}

func (s bankReference) readAll() any { return bankOp{kind: "audit"} }

func (s bankReference) apply(input any) any {
	op := input.(bankOp)
	both := [2]int64{s[op.from], s[op.to]}
	switch op.kind {
	case "open":
		if len(s) > 0 {
			return false
		}
		for i := range accounts {
			s[i] = openingDeposit
		}
		return true
	case "audit":
		b := bankValue{open: len(s) > 0}
		for i, n := range s {
			b.balances[i] = n
		}
		return b
	case "look":
		return both
	case "cas":
		if both != op.seen {
			return false
		}
	}
	s[op.from] -= op.amount
	s[op.to] += op.amount
	if op.kind == "cas" {
		return true
	}
	return [2]int64{s[op.from], s[op.to]}
}

func (s bankReference) forge(d dice, input, output any) any {
	wrong := int64(1 + d.IntN(5))
	switch output := output.(type) {
	case bool:
		if input.(bankOp).kind == "cas" && output {
			return nil // a false alarm, if nobody has seen what it did
		}
		return !output
	case bankValue:
		if !output.open {
			return openedBank()
		}
		// The sum stays right: only the history tells that it is wrong.
		output.balances[0] += wrong
		output.balances[1] -= wrong
		return output
	case [2]int64:
		output[d.IntN(2)] += wrong
		return output
	}
	panic(output)
}

func (s bankReference) alien(output any) any {
	switch output := output.(type) {
	case bankValue:
		output.open = true
		output.balances[0], output.balances[1] = 1_000_000_007, bankTotal-1_000_000_007
		return output
	case [2]int64:
		return [2]int64{1_000_000_007, 0}
	}
	panic(output)
}
