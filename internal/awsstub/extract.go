package awsstub

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Extract reads the schema from the npm package @cdktf/provider-aws, a gzipped tar.
// Types that it cannot read are named in the error of type Unread, beside a schema of
// all others.
func Extract(r io.Reader) (*Schema, error) {
	zipped, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("reading the package: %w", err)
	}
	defer zipped.Close()
	schema := &Schema{Resources: map[string]Block{}, DataSources: map[string]Block{}}
	texts := map[string]string{} // by folder
	archive := tar.NewReader(zipped)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading the package: %w", err)
		}
		folder, isFile := strings.CutPrefix(header.Name, "package/lib/")
		isPackage := header.Name == "package/package.json"
		if !isPackage && (!isFile || path.Ext(header.Name) != ".js" || !strings.Contains(folder, "/")) {
			continue
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			return nil, fmt.Errorf("reading %s of the package: %w", header.Name, err)
		}
		if isPackage {
			if schema.Version, err = providerVersion(text); err != nil {
				return nil, err
			}
			continue
		}
		folder, _, _ = strings.Cut(folder, "/")
		code, _, _ := strings.Cut(string(text), "//# sourceMappingURL")
		texts[folder] += code
	}
	return schema, schema.addAll(texts)
}

func providerVersion(packageJSON []byte) (string, error) {
	var about struct {
		CDKTF struct {
			Provider struct{ Name, Version string }
		}
	}
	if err := json.Unmarshal(packageJSON, &about); err != nil {
		return "", fmt.Errorf("reading package.json: %w", err)
	}
	if about.CDKTF.Provider.Version == "" {
		return "", errors.New("package.json names no version of the provider")
	}
	return about.CDKTF.Provider.Version, nil
}

// Unread are the folders of the package whose schema could not be read, and why.
type Unread map[string]error

func (u Unread) Error() string {
	var lines []string
	for _, folder := range sortedKeys(u) {
		lines = append(lines, fmt.Sprintf("%s: %v", folder, u[folder]))
	}
	return fmt.Sprintf("%d types could not be read:\n%s", len(u), strings.Join(lines, "\n"))
}

func (s *Schema) addAll(texts map[string]string) error {
	unread := Unread{}
	for _, folder := range sortedKeys(texts) {
		if err := s.add(folder, texts[folder]); err != nil {
			unread[folder] = err
		}
	}
	if err, ok := unread["provider"]; ok || s.Provider == nil {
		return fmt.Errorf("reading the provider's own arguments: %w", err)
	}
	if len(unread) > 0 {
		return unread
	}
	return nil
}

func (s *Schema) add(folder, text string) error {
	source, err := parseSource(text)
	if err != nil {
		return err
	}
	block, err := source.block(source.root, rootArguments)
	if err != nil {
		return err
	}
	switch {
	case folder == "provider":
		// The generated class has getters of cdktf's own; only arguments count.
		for name, attribute := range block.Attributes {
			if !attribute.Required && !attribute.Optional {
				delete(block.Attributes, name)
			}
		}
		s.Provider = &block
	case source.data:
		s.DataSources[source.typeName] = block
	default:
		s.Resources[source.typeName] = block
	}
	return nil
}
