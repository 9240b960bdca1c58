package keyspace

import "bytes"

// ZBound is a place in the order of a sorted set: some members come before it, all
// others behind.
type ZBound struct {
	kind   boundKind
	after  bool // behind what equals score or member, not before it
	score  float64
	member []byte
}

type boundKind uint8

const (
	boundEnd    boundKind = iota // before or behind all
	boundScore                   // by score alone
	boundMember                  // by member alone
	boundEntry                   // by score and, among equals, by member
)

// ZStart is before and ZEnd behind all members.
var (
	ZStart = ZBound{}
	ZEnd   = ZBound{after: true}
)

// ZBeforeScore is before the members with the score, ZAfterScore behind them.
func ZBeforeScore(score float64) ZBound { return ZBound{kind: boundScore, score: score} }

// ZAfterScore is behind the members with the score.
func ZAfterScore(score float64) ZBound { return ZBound{kind: boundScore, score: score, after: true} }

// ZBeforeMember is before the member whether it is there or not, and says something
// only where all scores are the same; so does ZAfterMember.
func ZBeforeMember(member []byte) ZBound { return ZBound{kind: boundMember, member: member} }

// ZAfterMember is behind the member.
func ZAfterMember(member []byte) ZBound {
	return ZBound{kind: boundMember, member: member, after: true}
}

// zBeforeEntry is where a member with this score is or would be.
func zBeforeEntry(score float64, member []byte) ZBound {
	return ZBound{kind: boundEntry, score: score, member: member}
}

// passedScore reports whether members with the score come before the bound, where
// that can be told from the score.
func (b *ZBound) passedScore(score float64) (before, known bool) {
	switch {
	case b.kind == boundEnd:
		return b.after, true
	case b.kind == boundMember:
		return false, false
	case score != b.score:
		return score < b.score, true
	case b.kind == boundScore:
		return b.after, true
	}
	return false, false
}

// passedMember decides what passedScore cannot.
func (b *ZBound) passedMember(member []byte) bool {
	c := bytes.Compare(member, b.member)
	return c < 0 || c == 0 && b.after
}

func (b *ZBound) passed(score float64, member []byte) bool {
	before, known := b.passedScore(score)
	if !known {
		before = b.passedMember(member)
	}
	return before
}
