package dev

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	credentialsName = "credentials"
	accessKey       = "redoubt-dev"
)

// credentials returns the key pair of the directory's S3 endpoint, made when
// the directory was first used: lines that were copied once stay good.
func credentials(dir string) (access, secret string, err error) {
	path := filepath.Join(dir, credentialsName)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		access, secret = accessKey, strings.ToLower(rand.Text())
		return access, secret, writeFile(path, formatCredentials(access, secret))
	}
	if err != nil {
		return "", "", fmt.Errorf("dev: %w", err)
	}
	access, secret = parseCredentials(b)
	if access == "" || secret == "" {
		return "", "", fmt.Errorf("dev: %s names no aws_access_key_id and aws_secret_access_key; remove it to get new ones", path)
	}
	return access, secret, nil
}

func formatCredentials(access, secret string) []byte {
	return fmt.Appendf(nil, "# S3 endpoint of redoubt dev\n[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", access, secret)
}

// parseCredentials reads the [default] profile of a credentials file.
func parseCredentials(b []byte) (access, secret string) {
	profile := ""
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if name, ok := strings.CutPrefix(line, "["); ok {
			profile = strings.TrimSpace(strings.TrimSuffix(name, "]"))
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		if profile != "default" {
			continue
		}
		switch strings.TrimSpace(key) {
		case "aws_access_key_id":
			access = strings.TrimSpace(value)
		case "aws_secret_access_key":
			secret = strings.TrimSpace(value)
		}
	}
	return access, secret
}
