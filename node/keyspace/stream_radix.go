package keyspace

import "math/bits"

// RadixNodes is the number of nodes that Redis's radix tree has for the stream's
// blocks (XINFO STREAM): its root, a fork at each place where IDs part, one node for
// each run of bytes between forks, and one for the end of each ID. It looks at
// every block's ID.
func (s *Stream) RadixNodes() int {
	if s.blocks.n == 0 {
		return 1
	}
	const idLen, root = 16, -1
	nodes := 0
	// way is a node and, when there are bytes between, the run that leads to it from
	// a fork: depth is how many bytes lead to the node from the root, the one
	// byte that the fork itself has among them.
	way := func(fork, depth int) {
		nodes++
		if depth > fork+1 {
			nodes++
		}
	}
	var forks []int // on the path to the last ID, by depth
	var last StreamID
	before := root // how much the last ID has in common with the one before it
	next := func(common int) {
		way(max(before, common), idLen)
		for len(forks) > 0 && forks[len(forks)-1] > common {
			depth := forks[len(forks)-1]
			forks = forks[:len(forks)-1]
			parent := common
			if len(forks) > 0 {
				parent = max(parent, forks[len(forks)-1])
			}
			way(parent, depth)
		}
		if common > root && (len(forks) == 0 || forks[len(forks)-1] < common) {
			forks = append(forks, common)
		}
		before = common
	}
	first := true
	s.blocks.each(func(id StreamID, _ *streamBlock) bool {
		if !first {
			next(commonBytes(last, id))
		}
		first, last = false, id
		return true
	})
	next(root)
	return nodes
}

// commonBytes is the number of leading bytes that two IDs have in common.
func commonBytes(a, b StreamID) int {
	if x := a.MS ^ b.MS; x != 0 {
		return bits.LeadingZeros64(x) / 8
	}
	return 8 + bits.LeadingZeros64(a.Seq^b.Seq)/8
}
