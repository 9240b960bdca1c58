package main

import (
	"encoding/json"
	"unicode/utf8"
)

// appendArg appends an argument of a command as a person would type it into
// redis-cli: as it is when that is unambiguous, else in double quotes with
// redis-cli's escapes.
func appendArg(dst, arg []byte) []byte {
	if isPlain(arg) {
		return append(dst, arg...)
	}
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range arg {
		switch c {
		case '\\', '"':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		case '\a':
			dst = append(dst, `\a`...)
		case '\b':
			dst = append(dst, `\b`...)
		default:
			if c >= ' ' && c <= '~' {
				dst = append(dst, c)
			} else {
				dst = append(dst, '\\', 'x', hex[c>>4], hex[c&15])
			}
		}
	}
	return append(dst, '"')
}

// isPlain reports whether redis-cli reads arg as one argument without quotes.
func isPlain(arg []byte) bool {
	for _, c := range arg {
		if c <= ' ' || c > '~' || c == '"' || c == '\'' || c == '\\' {
			return false
		}
	}
	return len(arg) > 0
}

// formatCommand is a command on one line.
func formatCommand(args [][]byte) string {
	var b []byte
	for i, a := range args {
		if i > 0 {
			b = append(b, ' ')
		}
		b = appendArg(b, a)
	}
	return string(b)
}

// binary is a byte string in JSON: a string when it is UTF-8, and else
// {"base64": "..."}.
type binary []byte

// MarshalJSON implements json.Marshaler.
func (b binary) MarshalJSON() ([]byte, error) {
	if utf8.Valid(b) {
		return json.Marshal(string(b))
	}
	return json.Marshal(struct {
		Base64 []byte `json:"base64"`
	}{b})
}
