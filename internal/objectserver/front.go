package objectserver

import (
	"encoding/xml"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/signature"
)

// front stands before gofakes3's handler: it checks signatures and payloads,
// and turns virtual-host style into path style.
type front struct {
	next   http.Handler
	lookup func(accessKey string) (secret string, ok bool)
	log    *slog.Logger
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if code := signature.V4SignVerifyWithLookup(r, f.lookup); code != signature.ErrNone {
		e := signature.GetAPIError(code)
		f.log.Debug("s3 request refused", "remote", r.RemoteAddr, "method", r.Method, "path", r.URL.Path, "code", e.Code)
		writeXML(w, e.HTTPStatusCode, signature.EncodeAPIErrorToResponse(e))
		return
	}
	if bucket := hostBucket(r.Host); bucket != "" {
		r.URL.Path = "/" + bucket + r.URL.Path
	}
	if err := verifyPayload(r); err != nil {
		writeError(w, err)
		return
	}
	f.next.ServeHTTP(w, r)
}

// hostBucket is the bucket in a virtual-host style name, <bucket>.localhost,
// which resolves to this machine by RFC 6761; "" for path style.
func hostBucket(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	bucket, ok := strings.CutSuffix(host, ".localhost")
	if !ok || gofakes3.ValidateBucketName(bucket) != nil {
		return ""
	}
	return bucket
}

// writeError answers with an error found before gofakes3 saw the request.
func writeError(w http.ResponseWriter, err error) {
	code := gofakes3.ErrInternal
	var e gofakes3.Error
	if errors.As(err, &e) {
		code = e.ErrorCode()
	}
	// Two strings always marshal.
	b, _ := xml.Marshal(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: string(code), Message: err.Error()})
	writeXML(w, code.Status(), append([]byte(xml.Header), b...))
}

func writeXML(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone; nobody else to tell
}
