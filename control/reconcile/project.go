package reconcile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/redoubtdb/redoubt/control/spec"
)

// project is what nodes of a managed cluster find below /redoubt/<cluster>/: users,
// ACLs and parameters, by key. Each user is there as the rules of ACL SETUSER that make
// it from a fresh one. The default user can always be told from its absence: an ACL
// that does not have it turns it off.
//
//	users/<name>       {"rules": "on #<sha256> ~app:* +@read"}
//	acls/<name>        {"user_names": ["alice", "bob"]}
//	parameters/<name>  {"value": "64"}
func project(a Access, parameters map[string]string) map[string]string {
	keys := map[string]string{}
	names := []string{}
	for _, u := range a.Users {
		names = append(names, u.Name)
		keys["users/"+u.Name] = encode(map[string]string{"rules": rules(u)})
	}
	if _, ok := keys["users/"+spec.DefaultUser]; !ok {
		keys["users/"+spec.DefaultUser] = encode(map[string]string{"rules": "off"})
	}
	slices.Sort(names)
	if a.ACL.Name != "" {
		keys["acls/"+a.ACL.Name] = encode(map[string][]string{"user_names": names})
	}
	for name, v := range parameters {
		keys["parameters/"+name] = encode(map[string]string{"value": v})
	}
	return keys
}

// rules are a user's, with its passwords' hashes in front.
func rules(u spec.User) string {
	var words []string
	for _, h := range u.PasswordHashes {
		words = append(words, "#"+h)
	}
	if u.Authentication == spec.NoPassword {
		words = []string{"nopass"}
	}
	if text := strings.TrimSpace(u.AccessString); text != "" {
		words = append(words, text)
	}
	return strings.Join(words, " ")
}

// encode is for types that cannot fail to encode.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("reconcile: encode %T: %v", v, err))
	}
	return string(b)
}
