package arena

const (
	// align is what all sizes are multiples of.
	align = 8
	// MaxSize is the largest allocation, in bytes: seven of it fill a run.
	MaxSize = (runSize - regionHead) / fewest
	// fewest is how many slots a run has at least; with one fewer the step between the
	// largest sizes would be more than an eighth.
	fewest = 7
)

// steps are the distances of sizes up to a bound. Rounding up wastes at most an
// eighth, of more than 256 bytes a sixteenth.
var steps = []struct{ upTo, by int }{{256, 8}, {512, 16}, {1024, 32}, {2048, 64}}

// sizes are the sizes of slots, ascending, and classes the number of the smallest that
// holds a number of bytes, counted in units of align.
var (
	sizes   [classCount]uint16
	classes [MaxSize/align + 1]uint8
)

// classCount is the number of sizes.
const classCount = 256/8 + 3*16 + 9

func init() {
	n := 0
	add := func(size int) {
		sizes[n] = uint16(size)
		n++
	}
	size := 0
	for _, s := range steps {
		for size < s.upTo {
			size += s.by
			add(size)
		}
	}
	// Above, sizes of which a whole number fills a run.
	for k := 15; k >= fewest; k-- {
		add((runSize - regionHead) / k &^ (align - 1))
	}
	c := 0
	for i := range classes {
		if i*align > int(sizes[c]) {
			c++
		}
		classes[i] = uint8(c)
	}
}

// Size is the number of bytes that an allocation of n bytes takes; n is at most
// MaxSize.
func Size(n int) int { return int(sizes[classes[(n+align-1)/align]]) }
