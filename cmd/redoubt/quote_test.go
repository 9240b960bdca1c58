package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func TestFormatCommand(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"SET", "k", "v"}, `SET k v`},
		{[]string{"SET", "user:42", "hello world"}, `SET user:42 "hello world"`},
		{[]string{"SET", "", "it's"}, `SET "" "it's"`},
		{[]string{"SET", `a"b\c`, "\x00\xff\n\r\t\a\b\x1b"}, `SET "a\"b\\c" "\x00\xff\n\r\t\a\b\x1b"`},
		{[]string{"SET", "é", "#{x}[1]*?"}, `SET "\xc3\xa9" #{x}[1]*?`},
	} {
		var args [][]byte
		for _, a := range c.args {
			args = append(args, []byte(a))
		}
		if got := formatCommand(args); got != c.want {
			t.Errorf("%q is printed as %s, want %s", c.args, got, c.want)
		}
	}
}

// readArgs splits a line as redis-cli does, as far as appendArg's output goes.
// Written from the description of redis-cli's quoting, independently of quote.go.
func readArgs(t testing.TB, line string) [][]byte {
	t.Helper()
	var args [][]byte
	for i := 0; i < len(line); {
		if line[i] == ' ' {
			i++
			continue
		}
		arg := []byte{}
		if line[i] != '"' {
			for ; i < len(line) && line[i] != ' '; i++ {
				if line[i] == '"' || line[i] == '\'' {
					t.Fatalf("a quote within a plain word: %s", line)
				}
				arg = append(arg, line[i])
			}
			args = append(args, arg)
			continue
		}
		for i++; ; i++ {
			if i == len(line) {
				t.Fatalf("unbalanced quotes: %s", line)
			}
			if line[i] == '"' {
				i++
				break
			}
			if line[i] != '\\' {
				arg = append(arg, line[i])
				continue
			}
			i++
			switch line[i] {
			case 'x':
				var v byte
				for _, d := range line[i+1 : i+3] {
					v <<= 4
					if d >= 'a' {
						v |= byte(d-'a') + 10
					} else {
						v |= byte(d - '0')
					}
				}
				arg = append(arg, v)
				i += 2
			case 'n':
				arg = append(arg, '\n')
			case 'r':
				arg = append(arg, '\r')
			case 't':
				arg = append(arg, '\t')
			case 'a':
				arg = append(arg, '\a')
			case 'b':
				arg = append(arg, '\b')
			default:
				arg = append(arg, line[i])
			}
		}
		if i < len(line) && line[i] != ' ' {
			t.Fatalf("something follows the closing quote: %s", line)
		}
		args = append(args, arg)
	}
	return args
}

func FuzzFormatCommand(f *testing.F) {
	f.Add([]byte("SET"), []byte(""), []byte("\x00\xff \"'\\\n\r\t\a\b"))
	f.Add([]byte("é"), []byte("plain"), []byte("\x7f~ "))
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		args := [][]byte{a, b, c}
		line := formatCommand(args)
		if i := bytes.IndexFunc([]byte(line), func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
			t.Fatalf("%q is printed with byte %q at %d", args, line[i], i)
		}
		back := readArgs(t, line)
		if len(back) != 3 || !bytes.Equal(back[0], a) || !bytes.Equal(back[1], b) || !bytes.Equal(back[2], c) {
			t.Fatalf("%q is printed as %s and read back as %q", args, line, back)
		}
	})
}

func FuzzBinaryJSON(f *testing.F) {
	f.Add([]byte("text <b>"))
	f.Add([]byte("\xff\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		j, err := json.Marshal(binary(in))
		if err != nil {
			t.Fatal(err)
		}
		var text string
		var object struct{ Base64 string }
		var got []byte
		if utf8.Valid(in) {
			err = json.Unmarshal(j, &text)
			got = []byte(text)
		} else if err = json.Unmarshal(j, &object); err == nil {
			got, err = base64.StdEncoding.DecodeString(object.Base64)
		}
		if err != nil || !bytes.Equal(got, in) {
			t.Fatalf("%q is printed as %s and read back as %q, %v", in, j, got, err)
		}
	})
}
