package broken

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

func TestAllListsEveryVariantOnce(t *testing.T) {
	listed := map[Variant]bool{}
	covered := map[int]bool{}
	for _, i := range All() {
		if listed[i.Variant] || i.What == "" || i.Invariant < 1 || i.Invariant > 11 {
			t.Errorf("%+v", i)
		}
		listed[i.Variant], covered[i.Invariant] = true, true
	}
	if len(covered) != 11 {
		t.Errorf("of 11 invariants, these are broken by a variant: %v", covered)
	}
	for name, v := range constants(t) {
		if !listed[v] {
			t.Errorf("%s is not listed", name)
		}
	}
}

// A variant that no guard asks for would be found out by nothing.
func TestEveryVariantIsAskedFor(t *testing.T) {
	asked := map[string]bool{}
	root := testenv.Root(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") || d.Name() == "internal") && path != root:
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && isSelector(call.Fun, "Is") && len(call.Args) == 1 {
				if arg, ok := call.Args[0].(*ast.SelectorExpr); ok {
					asked[arg.Sel.Name] = true
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range constants(t) {
		if !asked[name] {
			t.Errorf("nothing outside of internal/ asks broken.Is(broken.%s)", name)
		}
	}
}

// isSelector reports whether x is broken.<name>.
func isSelector(x ast.Expr, name string) bool {
	s, ok := x.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	pkg, ok := s.X.(*ast.Ident)
	return ok && pkg.Name == "broken"
}

// constants are the variants as variants.go names them.
func constants(t *testing.T) map[string]Variant {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "variants.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]Variant{}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		found[spec.Names[0].Name] = Variant(text)
		return false
	})
	if len(found) == 0 {
		t.Fatal("no variants found in variants.go")
	}
	return found
}
