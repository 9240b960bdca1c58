package resp

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/tidwall/redcon"
)

// endless repeats a stream in reads as large as the buffer allows, up to chunk.
type endless struct {
	data  string
	off   int
	chunk int
}

func (e *endless) Read(p []byte) (int, error) {
	p = p[:min(len(p), e.chunk)]
	n := copy(p, e.data[e.off:])
	e.off = (e.off + n) % len(e.data)
	return n, nil
}

var benchStreams = []struct {
	name     string
	command  string
	pipeline int
}{
	{"GET/P1", "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000001234\r\n", 1},
	{"GET/P16", "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000001234\r\n", 16},
	{"SET64/P16", "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000001234\r\n$64\r\n" + strings.Repeat("v", 64) + "\r\n", 16},
	{"SET20K/P1", "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000001234\r\n$20000\r\n" + strings.Repeat("v", 20000) + "\r\n", 1},
	{"SET1M/P1", "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000001234\r\n$1048576\r\n" + strings.Repeat("v", 1<<20) + "\r\n", 1},
	{"MSET100/P1", "*201\r\n$4\r\nMSET\r\n" + strings.Repeat("$8\r\nkey:1234\r\n$8\r\nval:1234\r\n", 100), 1},
	{"inline/P16", "GET key:000000001234\r\n", 16},
}

// BenchmarkReader parses pipelines, each arriving in one read where it fits.
func BenchmarkReader(b *testing.B) {
	for _, s := range benchStreams {
		b.Run(s.name, func(b *testing.B) {
			data := strings.Repeat(s.command, s.pipeline)
			src := &endless{data: data, chunk: len(data)}
			r := NewReader(Limits{})
			r.SetAuthenticated(true)
			benchCommands(b, len(s.command), func() (int, error) {
				if err := r.Fill(src); err != nil {
					return 0, err
				}
				for n := 0; ; n++ {
					_, ok, err := r.Next()
					if !ok {
						return n, err
					}
				}
			})
		})
	}
}

// BenchmarkRedcon does the same with redcon's ReadNextCommand in the read loop it
// is made for. It stands for the fastest parser that was found, and like it
// copies nothing; it neither checks limits nor remembers its place in a partial
// command.
func BenchmarkRedcon(b *testing.B) {
	for _, s := range benchStreams {
		b.Run(s.name, func(b *testing.B) {
			data := strings.Repeat(s.command, s.pipeline)
			src := &endless{data: data, chunk: len(data)}
			buf := make([]byte, max(len(data), 16<<10))
			var args [][]byte
			waiting := 0
			benchCommands(b, len(s.command), func() (int, error) {
				n, err := src.Read(buf[waiting:])
				if err != nil {
					return 0, err
				}
				packet := buf[:waiting+n]
				for n := 0; ; n++ {
					complete, a, _, rest, err := redcon.ReadNextCommand(packet, args)
					if !complete || err != nil {
						waiting = copy(buf, rest)
						return n, err
					}
					packet, args = rest, a
				}
			})
		})
	}
}

func benchCommands(b *testing.B, size int, step func() (int, error)) {
	b.ReportAllocs()
	b.SetBytes(int64(size))
	for done := 0; done < b.N; {
		n, err := step()
		if err != nil {
			b.Fatal(err)
		}
		done += n
	}
}

// BenchmarkDribble receives one large command in single bytes: the time per byte
// must not depend on its size.
func BenchmarkDribble(b *testing.B) {
	for _, size := range []int{10 << 10, 100 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dK", size>>10), func(b *testing.B) {
			command := fmt.Sprintf("*2\r\n$3\r\nSET\r\n$%d\r\n%s\r\n", size, strings.Repeat("v", size))
			b.SetBytes(int64(len(command)))
			for b.Loop() {
				r := NewReader(Limits{})
				r.SetAuthenticated(true)
				src := &endless{data: command, chunk: 1}
				for ok := false; !ok; {
					if err := r.Fill(src); err != nil {
						b.Fatal(err)
					}
					_, ok, _ = r.Next()
				}
			}
		})
	}
}

// BenchmarkWriter builds the reply of a GET.
func BenchmarkWriter(b *testing.B) {
	value := []byte(strings.Repeat("v", 64))
	w := Writer{Proto: 2}
	for b.Loop() {
		w.Bulk(value)
		if len(w.B) > 16<<10 {
			_, _ = io.Discard.Write(w.B)
			w.B = w.B[:0]
		}
	}
}

// BenchmarkLongDouble is the arithmetic of an INCRBYFLOAT: of a usual number, and
// of the slowest that can be sent.
func BenchmarkLongDouble(b *testing.B) {
	for name, text := range map[string]string{
		"usual":  "10.5",
		"large":  "1.1e4932",
		"small":  "1.1e-4931",
		"digits": "0." + strings.Repeat("123456789", 560),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				addText(text, "0.1")
			}
		})
	}
}
