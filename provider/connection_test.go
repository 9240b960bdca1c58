package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"
)

func TestConnectionURI(t *testing.T) {
	text := func(s string) types.String {
		if s == "" {
			return types.StringNull()
		}
		return types.StringValue(s)
	}
	for _, x := range []struct {
		address, user, password string
		tls                     bool
		want                    string
	}{
		{"10.0.0.1", "app", "a long password 1", true, "rediss://app:a%20long%20password%201@10.0.0.1:6379"},
		{"shop.internal", "app", "/?#[]@:%", false, "redis://app:%2F%3F%23%5B%5D%40%3A%25@shop.internal:6379"},
		{"fd00::1", "", "secret", true, "rediss://:secret@[fd00::1]:6379"},
		{"10.0.0.1", "guest", "", true, "rediss://guest:@10.0.0.1:6379"},
		{"10.0.0.1", "", "", false, "redis://10.0.0.1:6379"},
	} {
		m := connectionModel{Address: text(x.address), Port: types.Int64Value(6379), UserName: text(x.user), Password: text(x.password), TLSEnabled: types.BoolValue(x.tls)}
		if got := m.uri(); got != x.want {
			t.Errorf("%s as %q: %s, want %s", x.address, x.user, got, x.want)
		}
	}
}

// A connection waits for its cluster, reaches what takes ephemeral values, and is
// neither in plans, nor in the state, nor in logs.
func TestConnection(t *testing.T) {
	c := startControl(t)
	const password = "never to be seen"
	const uri = "rediss://app:never%20to%20be%20seen@127.0.0.1:6379"
	w := newWorkspace(t, cluster("")+`
		variable "password" {
			type      = string
			ephemeral = true
		}
		ephemeral "redoubt_connection" "app" {
			cluster_name = redoubt_cluster.main.id
			user_name    = "app"
			password     = var.password
		}
		`+user("witness", "on ~* +@all", "type = \"password\"\npasswords_wo = [ephemeral.redoubt_connection.app.uri]\npasswords_wo_version = 1"))
	w.env = append(w.env, "TF_VAR_password="+password, "TF_LOG=TRACE", "TF_LOG_PATH="+filepath.Join(w.dir, "log"), "TF_LOG_SDK_PROTO_DATA_DIR=")
	out := w.must("plan", "-no-color", "-out=plan") + w.must("apply", "-no-color", "plan") + w.must("show", "-no-color", "-json")
	w.empty()
	u, err := c.store.Users.Get(t.Context(), "witness")
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256([]byte(uri)); len(u.Spec.PasswordHashes) != 1 || u.Spec.PasswordHashes[0] != hex.EncodeToString(sum[:]) {
		t.Errorf("what took the URI has another than %s", uri)
	}
	for name, text := range map[string]string{
		"the output": out, "the state": w.read("terraform.tfstate"), "the plan": w.read("plan"), "Terraform's log": w.read("log"), "the control plane's log": c.log.String(),
	} {
		if strings.Contains(text, password) || strings.Contains(text, uri) {
			t.Errorf("the password is in %s", name)
		}
	}
	if !strings.Contains(w.read("log"), "redoubt_connection") {
		t.Error("nothing of the connection is in the log, so this proves nothing")
	}
	w.write("main.tf", strings.Replace(w.read("main.tf"), "redoubt_cluster.main.id", `"other"`, 1))
	if out, code := w.start("plan", "-no-color").end(); code != 1 || !strings.Contains(out, "There is no cluster other") {
		t.Errorf("a connection to what is not there: exit code %d\n%s", code, out)
	}
}
