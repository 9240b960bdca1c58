package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"
)

// envPrefix begins the environment variables that flags are read from.
const envPrefix = "REDOUBT_"

// configFlag names the file that flags are read from.
const configFlag = "config"

// source is where a flag's value came from, the later the stronger.
type source int

const (
	fromDefault source = iota
	fromFile
	fromEnv
	fromFlag
)

// envName is the variable that a flag is read from.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// sources fills in flags that the command line did not give, from REDOUBT_*
// variables and then from a YAML file whose keys are names of flags.
type sources struct {
	flags   []string // flags that may come from elsewhere
	foreign []string // keys that a file may have for other commands
	getenv  func(string) (string, bool)
	from    map[string]source
}

// newSources is for the flags of a set; foreign are keys to be passed over.
func newSources(set *pflag.FlagSet, foreign ...string) *sources {
	var flags []string
	set.VisitAll(func(f *pflag.Flag) {
		if f.Name != configFlag {
			flags = append(flags, f.Name)
		}
	})
	s := sourcesOf(flags...)
	s.foreign = foreign
	return s
}

// sourcesOf is for some flags.
func sourcesOf(flags ...string) *sources {
	return &sources{flags: flags, getenv: os.LookupEnv, from: map[string]source{}}
}

// fill reads the other sources. It is for PreRunE.
func (s *sources) fill(cmd *cobra.Command) error {
	set := cmd.Flags()
	for _, name := range s.flags {
		if set.Changed(name) {
			s.from[name] = fromFlag
		} else if v, ok := s.getenv(envName(name)); ok && v != "" {
			if err := set.Set(name, v); err != nil {
				return usagef(cmd, "%s: %w", envName(name), err)
			}
			s.from[name] = fromEnv
		}
	}
	path, what := "", "--"+configFlag
	if f := set.Lookup(configFlag); f != nil {
		path = f.Value.String()
		if v, ok := s.getenv(envName(configFlag)); ok && path == "" {
			path, what = v, envName(configFlag)
		}
	}
	if path == "" {
		return nil
	}
	values, err := readConfig(path)
	if err != nil {
		return usagef(cmd, "%s: %w", what, err)
	}
	for _, key := range sortedKeys(values) {
		if err := s.fromFile(cmd, key, values[key]); err != nil {
			return usagef(cmd, "%s: %w", path, err)
		}
	}
	return nil
}

func (s *sources) fromFile(cmd *cobra.Command, key string, value any) error {
	if !slices.Contains(s.flags, key) {
		if slices.Contains(s.foreign, key) {
			return nil
		}
		return unknownKey(key, s.flags)
	}
	if s.from[key] > fromFile {
		return nil
	}
	text, err := flagText(value)
	if err == nil {
		err = cmd.Flags().Set(key, text)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	s.from[key] = fromFile
	return nil
}

// unknownKey names the key, and the one that was probably meant.
func unknownKey(key string, known []string) error {
	if like := strings.ToLower(strings.ReplaceAll(key, "_", "-")); slices.Contains(known, like) {
		return fmt.Errorf("unknown key %q, did you mean %q?", key, like)
	}
	return fmt.Errorf("unknown key %q; keys are the names of flags, without the dashes before them", key)
}

// readConfig reads a YAML file of one level.
func readConfig(path string) (map[string]any, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	j, err := yaml.YAMLToJSONStrict(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var values map[string]any
	d := json.NewDecoder(bytes.NewReader(j))
	d.UseNumber() // 16 stays "16"
	if err := d.Decode(&values); err != nil {
		return nil, fmt.Errorf("%s: must be a list of \"flag: value\" lines: %w", path, err)
	}
	return values, nil
}

// flagText is a value of a configuration file as it would be given on the
// command line.
func flagText(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool, json.Number:
		return fmt.Sprint(v), nil
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			text, err := flagText(e)
			if err != nil {
				return "", err
			}
			parts[i] = text
		}
		return strings.Join(parts, ","), nil
	case nil:
		return "", fmt.Errorf("has no value")
	}
	return "", fmt.Errorf("must be a plain value or a list, not %T", v)
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
