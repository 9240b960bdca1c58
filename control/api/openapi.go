package api

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"sigs.k8s.io/yaml"
)

//go:embed openapi.yaml
var openAPIYAML []byte

// document is openapi.yaml as JSON.
var document = func() json.RawMessage {
	b, err := yaml.YAMLToJSONStrict(openAPIYAML)
	if err != nil {
		panic(fmt.Sprintf("api: openapi.yaml: %v", err)) // a test reads it
	}
	return b
}()

func (a *API) openAPI(*request) (reply, error) { return ok(document), nil }
