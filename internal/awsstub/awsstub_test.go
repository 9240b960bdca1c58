package awsstub

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"
)

// sample is what the generator writes for a small resource, with each shape that
// arguments come in.
const sample = `"use strict";
function drawerLockToHclTerraform(struct) {
    const attrs = {
        code: {
            value: cdktf.stringToHclTerraform(struct.code),
            isBlock: false,
            type: "simple",
            storageClassType: "string",
        },
        turns: {
            value: cdktf.numberToHclTerraform(struct.turns),
            isBlock: false,
            type: "simple",
            storageClassType: "number",
        },
    };
    return Object.fromEntries(attrs);
}
class DrawerLockOutputReference extends cdktf.ComplexObject {
    get code() {
        return this.getStringAttribute('code');
    }
    get turns() {
        return this.getNumberAttribute('turns');
    }
    resetTurns() {
        this._turns = undefined;
    }
    get opened() {
        return this.getBooleanAttribute('opened');
    }
}
class DrawerMakerOutputReference extends cdktf.ComplexObject {
    get names() {
        return cdktf.Fn.tolist(this.getListAttribute('names'));
    }
}
class Drawer extends cdktf.TerraformResource {
    constructor(scope, id, config) {
        // maker - computed: true, optional: false, required: false
        this._maker = new DrawerMakerList(this, "maker", false);
        this._lock = new DrawerLockList(this, "lock", true);
    }
    get getWidth() {
        return this.getNumberAttribute('get_width');
    }
    resetFetchWidth() {
        this._getWidth = undefined;
    }
    get tags() {
        return this.getStringMapAttribute('tags');
    }
    resetTags() {
        this._tags = undefined;
    }
    resetLock() {
        this._lock.internalValue = undefined;
    }
    get arn() {
        return this.getStringAttribute('arn');
    }
    synthesizeHclAttributes() {
        const attrs = {
            color: {
                value: cdktf.stringToHclTerraform(this._color),
                isBlock: false,
                type: "simple",
                storageClassType: "string",
            },
            get_width: {
                value: cdktf.numberToHclTerraform(this._getWidth),
                isBlock: false,
                type: "simple",
                storageClassType: "number",
            },
            tags: {
                value: cdktf.hashMapperHcl(cdktf.stringToHclTerraform)(this._tags),
                isBlock: false,
                type: "map",
                storageClassType: "stringMap",
            },
            lock: {
                value: cdktf.listMapperHcl(drawerLockToHclTerraform, true)(this._lock.internalValue),
                isBlock: true,
                type: "set",
                storageClassType: "DrawerLockList",
            },
            spare: {
                value: cdktf.listMapperHcl(drawerLockToHclTerraform, false)(this._spare.internalValue),
                isBlock: true,
                type: "list",
                storageClassType: "DrawerLockList",
            },
            main: {
                value: drawerLockToHclTerraform(this._main.internalValue),
                isBlock: true,
                type: "list",
                storageClassType: "DrawerLockList",
            },
        };
        return Object.fromEntries(attrs);
    }
}
Drawer.tfResourceType = "aws_drawer";
`

func TestBlockOfSource(t *testing.T) {
	source, err := parseSource(sample)
	if err != nil {
		t.Fatal(err)
	}
	if source.typeName != "aws_drawer" || source.data || source.provider {
		t.Fatalf("parsed %q, data source %v, provider %v", source.typeName, source.data, source.provider)
	}
	block, err := source.block(source.root, rootArguments)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		kind string
		mode string
	}{
		"color":     {`"string"`, "required"},
		"get_width": {`"number"`, "optional"}, // its reset method has another name
		"tags":      {`["map","string"]`, "optional"},
		"spare":     {`["list",["object",{"code":"string","opened":"bool","turns":"number"}]]`, "required"},
		"arn":       {`"string"`, "computed"},
		"maker":     {`["list",["object",{"names":["set","string"]}]]`, "computed"},
	} {
		got, ok := block.Attributes[name]
		if !ok {
			t.Errorf("no attribute %s", name)
			continue
		}
		if string(got.Type) != want.kind || mode(got) != want.mode {
			t.Errorf("%s is %s, %s; want %s, %s", name, got.Type, mode(got), want.kind, want.mode)
		}
	}
	lock, main := block.Blocks["lock"], block.Blocks["main"]
	if lock.Nesting != "set" || lock.Min != 0 || lock.Max != 0 {
		t.Errorf("lock is %s of %d to %d", lock.Nesting, lock.Min, lock.Max)
	}
	if main.Nesting != "list" || main.Min != 1 || main.Max != 1 {
		t.Errorf("main is %s of %d to %d", main.Nesting, main.Min, main.Max)
	}
	inner := lock.Block.Attributes
	if mode(inner["code"]) != "required" || mode(inner["turns"]) != "optional" || mode(inner["opened"]) != "computed" {
		t.Errorf("inside of lock: %v", inner)
	}
}

func mode(a Attribute) string {
	switch {
	case a.Required && !a.Optional && !a.Computed:
		return "required"
	case a.Optional && !a.Required:
		return "optional"
	case a.Computed:
		return "computed"
	}
	return "nothing"
}

// What the generator has never written is an error, not a gap in the schema.
func TestUnknownShapes(t *testing.T) {
	for name, change := range map[string][2]string{
		"entry":   {"            color: {\n", "            color: oops(\n"},
		"field":   {`storageClassType: "string"`, `storageKind: "string"`},
		"storage": {`storageClassType: "stringMap"`, `storageClassType: "anyMap"`},
		"value":   {"stringToHclTerraform(this._color)", "stringToHclTerraform(42)"},
		"nesting": {`type: "set"`, `type: "tuple"`},
		"name":    {"Drawer.tfResourceType", "Drawer.something"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(sample, change[0], change[1], 1)
			if text == sample {
				t.Fatal("nothing changed")
			}
			source, err := parseSource(text)
			if err == nil {
				_, err = source.block(source.root, rootArguments)
			}
			if err == nil {
				t.Fatal("understood what is not known")
			}
		})
	}
}

func TestExtract(t *testing.T) {
	provider := "class AwsProvider extends cdktf.TerraformProvider {\n    resetRegion() {\n        this._region = undefined;\n    }\n" +
		"    synthesizeHclAttributes() {\n        const attrs = {\n            region: {\n                value: cdktf.stringToHclTerraform(this._region),\n" +
		"                isBlock: false,\n                type: \"simple\",\n                storageClassType: \"string\",\n            },\n        };\n    }\n}\n" +
		"AwsProvider.tfResourceType = \"aws\";\n"
	file := archive(t, map[string]string{
		"package/package.json":          `{"cdktf":{"provider":{"name":"x","version":"1.2.3"}}}`,
		"package/lib/index.js":          "not a resource",
		"package/lib/provider/index.js": provider,
		"package/lib/drawer/index.js":   sample + "//# sourceMappingURL=data:rubbish",
		"package/lib/data/index.js":     strings.NewReplacer("cdktf.TerraformResource", "cdktf.TerraformDataSource", "aws_drawer", "aws_shelf").Replace(sample),
		"package/lib/odd/index.js":      "class Odd {",
	})
	schema, err := Extract(bytes.NewReader(file))
	var unread Unread
	if !errors.As(err, &unread) || len(unread) != 1 || unread["odd"] == nil {
		t.Fatalf("unread: %v", err)
	}
	if schema.Version != "1.2.3" || len(schema.Resources) != 1 || len(schema.DataSources) != 1 {
		t.Fatalf("version %s, %d resources, %d data sources", schema.Version, len(schema.Resources), len(schema.DataSources))
	}
	if _, ok := schema.DataSources["aws_shelf"]; !ok {
		t.Error("no data source aws_shelf")
	}
	if mode(schema.Provider.Attributes["region"]) != "optional" {
		t.Errorf("provider: %v", schema.Provider)
	}
	if _, err := schema.protocol(); err != nil {
		t.Error(err)
	}
	for name, broken := range map[string][]byte{
		"not zipped":  []byte("{}"),
		"cut":         file[:len(file)/2],
		"no provider": archive(t, map[string]string{"package/package.json": `{"cdktf":{"provider":{"version":"1"}}}`}),
		"no version":  archive(t, map[string]string{"package/package.json": `{}`}),
	} {
		if schema, err := Extract(bytes.NewReader(broken)); err == nil {
			t.Errorf("%s: %v", name, schema)
		}
	}
}

func archive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	zipped := gzip.NewWriter(&buffer)
	packed := tar.NewWriter(zipped)
	for _, name := range sortedKeys(files) {
		header := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name]))}
		if err := packed.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := packed.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(packed.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}
