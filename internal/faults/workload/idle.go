package workload

import "github.com/anishathalye/porcupine"

// withoutIdle is a model that gives the same verdicts as m with less search: an
// operation of unknown outcome takes its place only where it changes something.
// Where it would not, as a pop of an empty list, it may as well come after all the
// others, and there nobody sees what it does. Each place tried for nothing would
// double the number of orders to try.
func withoutIdle(m porcupine.Model) porcupine.Model {
	equal := m.Equal
	if equal == nil {
		equal = func(a, b any) bool { return a == b }
	}
	return porcupine.Model{
		Init: func() any { return staged{inner: m.Init()} },
		Partition: func(ops []porcupine.Operation) [][]porcupine.Operation {
			framed := append([]porcupine.Operation{{Input: working, Call: -Never, Return: 1 - Never}}, ops...)
			return [][]porcupine.Operation{append(framed, porcupine.Operation{Input: over, Call: Never - 1, Return: Never})}
		},
		Step: func(state, input, output any) (bool, any) {
			now := state.(staged)
			if p, ok := input.(stage); ok {
				return true, staged{p, now.inner}
			}
			if output == nil && now.stage == over {
				return true, now
			}
			ok, next := m.Step(now.inner, input, output)
			if output == nil && now.stage == working && ok && equal(now.inner, next) {
				return false, now
			}
			return ok, staged{now.stage, next}
		},
		Equal: func(a, b any) bool {
			x, y := a.(staged), b.(staged)
			return x.stage == y.stage && equal(x.inner, y.inner)
		},
		DescribeOperation: func(input, output any) string {
			if p, ok := input.(stage); ok {
				return [...]string{working: "begin", over: "end"}[p]
			}
			return m.DescribeOperation(input, output)
		},
	}
}

// stage is where in a history an operation is. Without the two that divide it, all
// is in stage 0, in which idle operations have places like any other.
type stage int

const (
	working stage = 1 + iota
	over
)

// staged is a state of a model with its stage.
type staged struct {
	stage stage
	inner any
}
