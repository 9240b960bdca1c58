package client_test

import (
	"io"
	"strings"
)

func body(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }
