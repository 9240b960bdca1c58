package arena

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"
)

func TestSize(t *testing.T) {
	if sizes[classCount-1] != MaxSize || !slices.IsSorted(sizes[:]) {
		t.Fatalf("sizes are %v", sizes)
	}
	for n := 1; n <= MaxSize; n++ {
		got := Size(n)
		i := slices.Index(sizes[:], uint16(got))
		if got < n || i < 0 || i > 0 && int(sizes[i-1]) >= n || got%align != 0 {
			t.Fatalf("%d bytes take %d", n, got)
		}
		if n > 64 && (got-n)*8 > got {
			t.Errorf("%d bytes take %d, which wastes more than an eighth", n, got)
		}
	}
	for _, size := range sizes {
		if waste := runSize % int(size); waste*8 > runSize || runSize/size < fewest {
			t.Errorf("slots of %d bytes leave %d of a run unused", size, waste)
		}
	}
}

// slot is an allocation as the model knows it.
type slot struct {
	b    []byte
	fill byte
}

func (s slot) intact() bool { return bytes.Count(s.b, []byte{s.fill}) == len(s.b) }

// model drives a pool and remembers what must be in it.
type model struct {
	t      *testing.T
	rng    *rand.Rand
	pool   Pool
	arenas []*Arena
	live   [][]slot
	freed  []slot // since the last Reclaim
}

func (m *model) alloc(i, n int) {
	s := slot{unsafe.Slice((*byte)(m.arenas[i].Alloc(n)), Size(n)), byte(m.rng.IntN(pattern))}
	for j := range s.b {
		s.b[j] = s.fill
	}
	m.live[i] = append(m.live[i], s)
}

func (m *model) free(i int) {
	if n := len(m.live[i]); n > 0 {
		j := m.rng.IntN(n)
		m.freed = append(m.freed, m.live[i][j])
		m.arenas[i].Free(unsafe.Pointer(unsafe.SliceData(m.live[i][j].b)))
		m.live[i][j] = m.live[i][n-1]
		m.live[i] = m.live[i][:n-1]
	}
}

func (m *model) drop(i int) {
	m.arenas[i].Drop()
	m.freed = append(m.freed, m.live[i]...)
	m.arenas[i], m.live[i] = m.pool.NewArena(), nil
}

// check verifies contents, overlaps and numbers.
func (m *model) check() {
	m.t.Helper()
	all := slices.Concat(append(m.live, m.freed)...)
	size := int64(0)
	for _, s := range all {
		if !s.intact() {
			m.t.Fatalf("a slot of %d bytes was overwritten", len(s.b))
		}
		size += int64(len(s.b))
	}
	address := func(s slot) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(s.b))) }
	slices.SortFunc(all, func(a, b slot) int { return int(address(a)) - int(address(b)) })
	for i := 1; i < len(all); i++ {
		if address(all[i-1])+uintptr(len(all[i-1].b)) > address(all[i]) {
			m.t.Fatal("two slots overlap")
		}
	}
	s := m.pool.Stats()
	if s.Allocated != size || s.Active < size || s.Resident < s.Active || s.Mapped < s.Resident || s.Mapped%regionSize != 0 {
		m.t.Fatalf("%d bytes are allocated, the pool says %+v", size, s)
	}
}

func (m *model) reclaim() {
	m.pool.Reclaim()
	for _, s := range m.freed {
		if poisoning && len(s.b) > align && s.b[len(s.b)-1] != pattern {
			m.t.Fatal("a freed slot can still be read")
		}
	}
	m.freed = nil
}

func TestModel(t *testing.T) {
	for seed := range uint64(6) {
		m := &model{t: t, rng: rand.New(rand.NewPCG(seed, 1)), live: make([][]slot, 3)}
		for range m.live {
			m.arenas = append(m.arenas, m.pool.NewArena())
		}
		largest := []int{40, 300, MaxSize}[seed%3]
		for step := range 40_000 {
			i := m.rng.IntN(len(m.live))
			// Times of growing and of shrinking, so that runs and regions empty.
			growing := step/5000%2 == 0
			switch p := m.rng.IntN(1000); {
			case p == 0:
				m.drop(i)
			case p < 20:
				m.reclaim()
			case p < 25:
				m.pool.Surplus(int64(m.rng.IntN(3 * regionSize))).Release()
			case growing == (p < 700):
				m.alloc(i, 1+m.rng.IntN(largest))
			default:
				m.free(i)
			}
			if step%2000 == 0 {
				m.check()
			}
		}
		m.check()
		for i := range m.live {
			for len(m.live[i]) > 0 {
				m.free(i)
			}
		}
		m.check()
		m.reclaim()
		m.check()
		m.pool.Surplus(1 << 40).Release()
		if s := m.pool.Stats(); s.Mapped > regionSize || s.Active != 0 {
			t.Errorf("empty, the pool has %+v", s)
		}
		m.pool.Close()
		if s := m.pool.Stats(); s != (Stats{}) {
			t.Errorf("closed, the pool has %+v", s)
		}
	}
}

// TestFreedIsKeptUntilReclaim: nothing of what was freed is handed out before Reclaim, and
// all of it afterwards.
func TestFreedIsKeptUntilReclaim(t *testing.T) {
	var p Pool
	defer p.Close()
	a := p.NewArena()
	freed := map[unsafe.Pointer]bool{}
	fill := func() (again int) {
		for range 1000 {
			if freed[a.Alloc(100)] {
				again++
			}
		}
		return again
	}
	for range 1000 {
		s := a.Alloc(100)
		freed[s] = true
		a.Free(s)
	}
	if n := fill(); n != 0 {
		t.Errorf("%d freed slots were handed out before Reclaim", n)
	}
	p.Reclaim()
	if n := fill(); n < 1000-runSize/100 { // the run that was in use has others
		t.Errorf("only %d of 1000 freed slots were used again", n)
	}
}

// TestUnusedIsSmall: an arena maps nothing before its first allocation, and a few
// records touch a page each.
func TestUnusedIsSmall(t *testing.T) {
	var p Pool
	defer p.Close()
	a := p.NewArena()
	if s := p.Stats(); s != (Stats{}) {
		t.Errorf("without allocations: %+v", s)
	}
	a.Alloc(10)
	a.Alloc(1000)
	if s := p.Stats(); s.Resident > 2048 || s.Mapped != regionSize {
		t.Errorf("two allocations: %+v", s)
	}
}

// TestMappedComesAndGoes: the number for the whole process follows every pool, and memory
// that is given back really is.
func TestMappedComesAndGoes(t *testing.T) {
	const size = 64 << 20
	before, resident := Mapped(), residentBytes(t)
	var p Pool
	a := p.NewArena()
	for range size / 1024 {
		clear(unsafe.Slice((*byte)(a.Alloc(1024)), 1024))
	}
	if got := Mapped() - before; got < size || got > size+size/8 {
		t.Errorf("%d bytes are mapped for %d", got, size)
	}
	if grown := residentBytes(t) - resident; grown < size/2 {
		t.Fatalf("%d bytes grew the process by %d", size, grown)
	}
	a.Drop()
	p.Reclaim()
	for {
		s := p.Surplus(4 << 20)
		if len(s) > 4 {
			t.Errorf("%d regions at once, asked for 4", len(s))
		}
		if len(s) == 0 {
			break
		}
		s.Release()
	}
	if got := Mapped() - before; got != regionSize {
		t.Errorf("%d bytes stay mapped", got)
	}
	if grown := residentBytes(t) - resident; grown > size/4 {
		t.Errorf("the process still has %d bytes more", grown)
	}
	p.Close()
	p.Close()
	if got := Mapped() - before; got != 0 {
		t.Errorf("%d bytes stay mapped after Close", got)
	}
}

func BenchmarkAlloc(b *testing.B) {
	const n = 1 << 16
	var p Pool
	defer p.Close()
	a := p.NewArena()
	live := make([]unsafe.Pointer, n)
	for i := range live {
		live[i] = a.Alloc(88)
	}
	for i := 0; b.Loop(); i++ {
		j := i * 7919 % n
		a.Free(live[j])
		live[j] = a.Alloc(88)
		p.Reclaim()
	}
}

// BenchmarkRelease is how long a region takes on its way back to the system.
func BenchmarkRelease(b *testing.B) {
	for b.Loop() {
		base := mapRegion()
		for i := 0; i < regionSize; i += 4096 {
			*(*byte)(unsafe.Add(base, i)) = 1
		}
		start := time.Now()
		unmapRegion(base)
		b.ReportMetric(float64(time.Since(start).Microseconds()), "last-us")
	}
	runtime.GC()
}
