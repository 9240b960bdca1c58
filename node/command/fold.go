package command

// lower is C's tolower in the "C" locale.
func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// EqualFold reports whether b is the word, letters in any case. Redis compares
// options with ASCII rules, so bytes.EqualFold is not for them.
func EqualFold(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if c != word[i] && lower(c) != lower(word[i]) {
			return false
		}
	}
	return true
}
