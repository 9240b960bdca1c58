package workload

import (
	"fmt"
	"strconv"

	"github.com/anishathalye/porcupine"
)

// bankValue is every account of one bank.
type bankValue struct {
	open     bool
	balances [accounts]int64
}

// bankOp is an operation on one bank.
//
//	open      all accounts unless there is one; output: whether it did
//	transfer  amount of from's money to to; output: the new balances of both
//	look      at from and to; output: the balances of both
//	cas       like transfer, but only while both are as they were seen; output: whether it did
//	audit     output: a bankValue
type bankOp struct {
	kind     string
	from, to int
	amount   int64
	seen     [2]int64 // of cas
}

// parseBank takes a list of all balances apart. The accounts are all there or
// none is, and their sum is what was paid in.
func parseBank(reply any) (bankValue, error) {
	var b bankValue
	list, _ := reply.([]any)
	if len(list) != accounts {
		return b, fmt.Errorf("%d balances, want %d: %v", len(list), accounts, reply)
	}
	missing, sum := 0, int64(0)
	for i, v := range list {
		n, ok := number(v)
		switch {
		case v == nil:
			missing++
		case !ok:
			return b, fmt.Errorf("account %d holds %v", i, v)
		}
		b.balances[i], sum = n, sum+n
	}
	switch {
	case missing == accounts:
		return b, nil
	case missing > 0:
		return b, fmt.Errorf("%d of %d accounts are not there: %v", missing, accounts, list)
	case sum != bankTotal:
		return b, fmt.Errorf("the sum is %d, want %d: %v", sum, bankTotal, list)
	}
	b.open = true
	return b, nil
}

func twoNumbers(reply any) (two [2]int64, ok bool) {
	list, _ := reply.([]any)
	if len(list) != len(two) {
		return two, false
	}
	for i, v := range list {
		if two[i], ok = number(v); !ok {
			return two, false
		}
	}
	return two, true
}

// number is a number that a server answers, be it as a string.
func number(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil
	}
	return 0, false
}

// withoutIdleOpens leaves out every opening of unknown outcome but the one that
// was sent first. That changes no verdict: only one can have opened the bank, any
// of them may as well have been the first one sent, and the others did nothing.
// Each of them would double the number of orders to try.
func withoutIdleOpens(ops []porcupine.Operation) []porcupine.Operation {
	idle := func(op porcupine.Operation) bool { return op.Input.(bankOp).kind == "open" && op.Output == nil }
	first := -1
	for i, op := range ops {
		if idle(op) && (first < 0 || op.Call < ops[first].Call) {
			first = i
		}
	}
	var kept []porcupine.Operation
	for i, op := range ops {
		if i == first || !idle(op) {
			kept = append(kept, op)
		}
	}
	return kept
}

// bankModel is the vector of all balances. The output of an operation of unknown
// outcome is nil.
var bankModel = porcupine.Model{
	Init: func() any { return bankValue{} },
	Partition: func(ops []porcupine.Operation) [][]porcupine.Operation {
		return [][]porcupine.Operation{withoutIdleOpens(ops)}
	},
	Step: func(state, input, output any) (bool, any) {
		now, op := state.(bankValue), input.(bankOp)
		switch op.kind {
		case "open":
			next := now
			if !now.open {
				next = openedBank()
			}
			return output == nil || output.(bool) == !now.open, next
		case "audit":
			return output.(bankValue) == now, now
		}
		if !now.open {
			return false, now // whoever asks has been told that the bank is open
		}
		both := [2]int64{now.balances[op.from], now.balances[op.to]}
		next := now
		next.balances[op.from] -= op.amount
		next.balances[op.to] += op.amount
		switch op.kind {
		case "look":
			return output.([2]int64) == both, now
		case "cas":
			if output != nil && !output.(bool) {
				return true, now // WATCH may give a false alarm, but must not miss a change
			}
			if both != op.seen {
				return output == nil, now
			}
			return true, next
		}
		both = [2]int64{next.balances[op.from], next.balances[op.to]}
		return output == nil || output.([2]int64) == both, next
	},
	DescribeOperation: func(input, output any) string {
		op := input.(bankOp)
		if op.kind == "open" || op.kind == "audit" {
			return fmt.Sprintf("%s -> %v", op.kind, output)
		}
		return fmt.Sprintf("%s %d from %d to %d (seen %v) -> %v", op.kind, op.amount, op.from, op.to, op.seen, output)
	},
}

func openedBank() bankValue {
	b := bankValue{open: true}
	for i := range b.balances {
		b.balances[i] = openingDeposit
	}
	return b
}
