package command

// byteSet is a set of bytes, in the order of signed ones: -128 is the first.
type byteSet [4]uint64

const signBit = 0x80

func (b *byteSet) has(c byte) bool { c ^= signBit; return b[c>>6]>>(c&63)&1 != 0 }

func (b *byteSet) add(c byte) { c ^= signBit; b[c>>6] |= 1 << (c & 63) }

// addRange adds all from lo to hi as signed bytes; none when hi is less.
func (b *byteSet) addRange(lo, hi byte) {
	lo, hi = lo^signBit, hi^signBit
	for w := range b {
		from, to := max(int(lo)-64*w, 0), min(int(hi)-64*w, 63)
		if from <= to {
			b[w] |= ^uint64(0) >> (63 - to) &^ (1<<from - 1)
		}
	}
}

// readSet reads a set of a pattern, without its opening bracket, as matchSet does.
func readSet(p []byte, fold bool) (set byteSet, n int) {
	var folded byteSet // what lower-case letters stand for upper-case ones in, too
	not := len(p) > 0 && p[0] == '^'
	if not {
		n = 1
	}
	for ; n < len(p) && p[n] != ']'; n++ {
		switch rest := p[n:]; {
		case rest[0] == '\\' && len(rest) >= 2:
			n++
			set.add(rest[1])
		case len(rest) >= 3 && rest[1] == '-':
			n += 2
			from, to := rest[0], rest[2]
			if int8(from) > int8(to) {
				from, to = to, from
			}
			if fold {
				from, to = lower(from), lower(to)
			}
			folded.addRange(from, to)
		case fold:
			folded.add(lower(rest[0]))
		default:
			folded.add(rest[0])
		}
	}
	if n < len(p) {
		n++ // the closing bracket
	}
	for c := 'A'; fold && c <= 'Z'; c++ {
		if folded.has(lower(byte(c))) {
			set.add(byte(c))
		}
	}
	if fold {
		var letters byteSet
		letters.addRange('A', 'Z')
		for w := range folded {
			folded[w] &^= letters[w]
		}
	}
	for w := range set {
		set[w] |= folded[w]
		if not {
			set[w] = ^set[w]
		}
	}
	return set, n
}
