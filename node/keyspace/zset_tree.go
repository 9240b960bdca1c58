package keyspace

import "unsafe"

// zrecord is one member of the large form of a sorted set: an inline record whose
// key is the member and whose value are the 8 bytes of the score.
type zrecord = header

// zTree has the records of a large sorted set in order: a B+ tree whose nodes know
// how many members are below each child, so that ranks are found from the root
// down. Compared with the skip list of Redis it needs one pointer a member instead
// of three or four, and a look-up touches a cache line a level. Scores are kept in
// the nodes as well, so that records are looked at only where scores are equal.
// The zero value is empty.
type zTree struct {
	root   *zNode
	leaves int
	inners int
}

const (
	// zFan makes a node fill an allocation class, 512 bytes, the largest in which
	// the Go heap needs no header for a type with pointers.
	zFan = 31
	// A node with less than zSparse entries is joined with a neighbour if they have
	// zJoined or less together, which leaves room to grow again.
	zSparse = zFan / 3
	zJoined = zFan * 3 / 4
)

// zNode is a leaf, whose entries are members, or an inner node, whose entries are
// the first members of its children.
type zNode struct {
	n       int
	scores  [zFan]float64
	records [zFan]*zrecord
	kids    *[zFan]zChild // nil in a leaf
}

type zChild struct {
	node *zNode
	size int // members below it
}

func (t *zTree) memory() int64 {
	node, kids := allocSize(int(unsafe.Sizeof(zNode{}))), allocSize(int(unsafe.Sizeof([zFan]zChild{})))
	return int64(t.leaves*node) + int64(t.inners*(node+kids))
}

// before is the number of the node's entries that are before the bound.
func (n *zNode) before(b *ZBound) int {
	low, high := 0, n.n
	for low < high {
		mid := int(uint(low+high) / 2)
		passed, known := b.passedScore(n.scores[mid])
		if !known {
			passed = b.passedMember(n.records[mid].keyBytes())
		}
		if passed {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// childOf is the child in which what comes next to the bound is found or inserted.
func (n *zNode) childOf(b *ZBound) int { return max(n.before(b)-1, 0) }

// childAt is the child that has the member of a rank, and the rank within it.
func (n *zNode) childAt(rank int) (i, within int) {
	for ; rank >= n.kids[i].size; i++ {
		rank -= n.kids[i].size
	}
	return i, rank
}

// rank is the number of members before the bound.
func (t *zTree) rank(b *ZBound) int {
	n := t.root
	if n == nil {
		return 0
	}
	rank := 0
	for n.kids != nil {
		at := n.childOf(b)
		for i := range at {
			rank += n.kids[i].size
		}
		n = n.kids[at].node
	}
	return rank + n.before(b)
}

// at is the member with a rank, which must be one.
func (t *zTree) at(rank int) (float64, *zrecord) {
	n := t.root
	for n.kids != nil {
		var i int
		i, rank = n.childAt(rank)
		n = n.kids[i].node
	}
	return n.scores[rank], n.records[rank]
}

// set changes entry i.
func (n *zNode) set(i int, score float64, r *zrecord) { n.scores[i], n.records[i] = score, r }

// open makes room for an entry at i.
func (n *zNode) open(i int) {
	copy(n.scores[i+1:n.n+1], n.scores[i:n.n])
	copy(n.records[i+1:n.n+1], n.records[i:n.n])
	if n.kids != nil {
		copy(n.kids[i+1:n.n+1], n.kids[i:n.n])
	}
	n.n++
}

// drop removes entry i.
func (n *zNode) drop(i int) {
	n.n--
	copy(n.scores[i:n.n], n.scores[i+1:n.n+1])
	copy(n.records[i:n.n], n.records[i+1:n.n+1])
	n.records[n.n] = nil
	if n.kids != nil {
		copy(n.kids[i:n.n], n.kids[i+1:n.n+1])
		n.kids[n.n] = zChild{}
	}
}

// pour moves the entries from i on to the end of another node of the same level.
func (n *zNode) pour(i int, to *zNode) {
	copy(to.scores[to.n:], n.scores[i:n.n])
	copy(to.records[to.n:], n.records[i:n.n])
	clear(n.records[i:n.n])
	if n.kids != nil {
		copy(to.kids[to.n:], n.kids[i:n.n])
		clear(n.kids[i:n.n])
	}
	to.n += n.n - i
	n.n = i
}

// size is the number of members in and below a node.
func (n *zNode) size() int {
	if n.kids == nil {
		return n.n
	}
	size := 0
	for i := range n.n {
		size += n.kids[i].size
	}
	return size
}

func (t *zTree) newNode(inner bool) *zNode {
	n := new(zNode)
	if inner {
		n.kids = new([zFan]zChild)
		t.inners++
	} else {
		t.leaves++
	}
	return n
}

func (t *zTree) forget(n *zNode) {
	if n.kids != nil {
		t.inners--
	} else {
		t.leaves--
	}
}

// insert adds a member that is not in the tree.
func (t *zTree) insert(score float64, r *zrecord) {
	if t.root == nil {
		t.root = t.newNode(false)
	}
	b := zBeforeEntry(score, r.keyBytes())
	right := t.insertInto(t.root, &b, r)
	if right == nil {
		return
	}
	left := t.root
	t.root = t.newNode(true)
	for i, n := range []*zNode{left, right} {
		t.root.n++
		t.root.adopt(i, n)
	}
}

// adopt makes a node child i.
func (n *zNode) adopt(i int, child *zNode) {
	n.kids[i] = zChild{child, child.size()}
	n.set(i, child.scores[0], child.records[0])
}

// insertInto inserts below n, and returns the node that has to follow n when n had
// to be split for it.
func (t *zTree) insertInto(n *zNode, b *ZBound, r *zrecord) (right *zNode) {
	if n.kids == nil {
		into, i, right := t.makeRoom(n, n.before(b))
		into.open(i)
		into.set(i, b.score, r)
		return right
	}
	i := n.childOf(b)
	child := n.kids[i].node
	split := t.insertInto(child, b, r)
	if split == nil {
		n.kids[i].size++
		n.set(i, child.scores[0], child.records[0])
		return nil
	}
	n.adopt(i, child)
	into, at, right := t.makeRoom(n, i+1)
	into.open(at)
	into.adopt(at, split)
	return right
}

// makeRoom splits a full node before something is inserted at i, and returns
// where that place is then. What grows at one end, as time stamps do, leaves full
// nodes behind and not half empty ones.
func (t *zTree) makeRoom(n *zNode, i int) (into *zNode, at int, right *zNode) {
	if n.n < zFan {
		return n, i, nil
	}
	cut := zFan/2 + 1
	if i == 0 || i == zFan {
		cut = i
	}
	right = t.newNode(n.kids != nil)
	n.pour(cut, right)
	if i > cut || i == zFan {
		return right, i - cut, right
	}
	return n, i, right
}

// remove takes out a member that is in the tree.
func (t *zTree) remove(score float64, r *zrecord) {
	b := zBeforeEntry(score, r.keyBytes())
	t.removeFrom(t.root, &b, r)
	for t.root.kids != nil && t.root.n == 1 {
		t.forget(t.root)
		t.root = t.root.kids[0].node
	}
	if t.root.n == 0 {
		*t = zTree{}
	}
}

// removeFrom takes r out, which is below n and the first behind b.
func (t *zTree) removeFrom(n *zNode, b *ZBound, r *zrecord) {
	i := n.before(b)
	if n.kids == nil {
		n.drop(i)
		return
	}
	if i == n.n || n.records[i] != r {
		i-- // r is not the first of its child
	}
	child := n.kids[i].node
	t.removeFrom(child, b, r)
	if child.n == 0 {
		t.forget(child)
		n.drop(i)
		return
	}
	n.kids[i].size--
	n.set(i, child.scores[0], child.records[0])
	if child.n < zSparse {
		t.join(n, i)
	}
}

// join unites child i with a neighbour if both are sparse.
func (t *zTree) join(n *zNode, i int) {
	for _, left := range [2]int{i - 1, i} {
		if left < 0 || left+1 >= n.n {
			continue
		}
		a, b := n.kids[left].node, n.kids[left+1].node
		if a.n+b.n > zJoined {
			continue
		}
		b.pour(0, a)
		n.kids[left].size += n.kids[left+1].size
		n.drop(left + 1)
		t.forget(b)
		return
	}
}

// each calls fn with count members from a rank on, or back from it, until it
// returns false.
func (t *zTree) each(rank, count int, reverse bool, fn func(score float64, r *zrecord) bool) {
	if t.root != nil && count > 0 {
		t.root.each(rank, &count, reverse, fn)
	}
}

func (n *zNode) each(rank int, count *int, reverse bool, fn func(float64, *zrecord) bool) bool {
	step := 1
	if reverse {
		step = -1
	}
	if n.kids == nil {
		for i := rank; i >= 0 && i < n.n; i += step {
			if *count--; !fn(n.scores[i], n.records[i]) || *count == 0 {
				return false
			}
		}
		return true
	}
	for i, within := n.childAt(rank); ; {
		if !n.kids[i].node.each(within, count, reverse, fn) {
			return false
		}
		if i += step; i < 0 || i >= n.n {
			return true
		}
		within = 0
		if reverse {
			within = n.kids[i].size - 1
		}
	}
}
