package awsstub

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
)

// Schema is what a provider tells Terraform of itself.
type Schema struct {
	Version     string           `json:"version"` // of the real provider
	Provider    *Block           `json:"provider"`
	Resources   map[string]Block `json:"resources"`
	DataSources map[string]Block `json:"data_sources"`
}

// Block is the inside of a resource, a data source or a nested block.
type Block struct {
	Attributes map[string]Attribute   `json:"attributes,omitempty"`
	Blocks     map[string]NestedBlock `json:"blocks,omitempty"`
}

// Attribute is one argument or attribute. Type is Terraform's JSON notation of it.
type Attribute struct {
	Type     json.RawMessage `json:"type"`
	Required bool            `json:"required,omitempty"`
	Optional bool            `json:"optional,omitempty"`
	Computed bool            `json:"computed,omitempty"`
}

// NestedBlock is a block and how often it may appear.
type NestedBlock struct {
	Nesting string `json:"nesting"` // single, list or set
	Min     int    `json:"min,omitempty"`
	Max     int    `json:"max,omitempty"` // 0: any number
	Block   Block  `json:"block"`
}

// Load reads a schema that Save wrote.
func Load(file string) (*Schema, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the schema of the AWS provider: %w", err)
	}
	schema := &Schema{}
	if err := json.Unmarshal(data, schema); err != nil {
		return nil, fmt.Errorf("reading the schema of the AWS provider in %s: %w", file, err)
	}
	return schema, nil
}

// Save writes the schema whole or not at all.
func (s *Schema) Save(file string) error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encoding the schema: %w", err)
	}
	temporary := file + ".new"
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("saving the schema: %w", err)
	}
	if err := os.WriteFile(temporary, data, 0o644); err != nil {
		return fmt.Errorf("saving the schema: %w", err)
	}
	if err := os.Rename(temporary, file); err != nil {
		return fmt.Errorf("saving the schema: %w", err)
	}
	return nil
}

// Only returns the schema with the named resources and data sources alone, since
// Terraform reads all of what a provider has each time that it starts one. Names that
// are not there are left out: Terraform itself refuses them.
func (s *Schema) Only(resources, dataSources []string) *Schema {
	return &Schema{
		Version:     s.Version,
		Provider:    s.Provider,
		Resources:   only(s.Resources, resources),
		DataSources: only(s.DataSources, dataSources),
	}
}

func only(all map[string]Block, names []string) map[string]Block {
	chosen := make(map[string]Block, len(names))
	for _, name := range names {
		if block, ok := all[name]; ok {
			chosen[name] = block
		}
	}
	return chosen
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
