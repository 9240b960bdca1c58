package spec

import "fmt"

// Family is that of every parameter group, until there is another engine.
const Family = "redoubt_redis7"

// maxMembers is how many users an ACL may have: package store compares each of them in
// one transaction, and etcd takes 128 comparisons.
const maxMembers = 100

// Default puts in order what a person may leave out.
func (a *ACL) Default() {
	sortedSet(&a.UserNames)
	noNilMap(&a.Tags)
}

// Validate reports all that is wrong with an ACL by itself.
func (a *ACL) Validate() Problems {
	var p Problems
	p.check("name", CheckName(a.Name))
	if len(a.UserNames) > maxMembers {
		p.add("user_names", "there may be at most %d, not %d", maxMembers, len(a.UserNames))
	}
	for i, u := range a.UserNames {
		p.check(fmt.Sprintf("user_names[%d]", i), CheckName(u))
	}
	checkUnique(&p, "user_names", a.UserNames)
	checkTags(&p, a.Tags)
	return p
}

// CheckChange reports what cannot be changed: the name.
func (a *ACL) CheckChange(next *ACL) Problems { return sameName(a.Name, next.Name) }

// Default fills in what may be left out.
func (g *ParameterGroup) Default() {
	defaultTo(&g.Family, Family)
	noNilMap(&g.Parameters)
	noNilMap(&g.Tags)
}

// Validate reports all that is wrong with a parameter group.
func (g *ParameterGroup) Validate() Problems {
	var p Problems
	p.check("name", CheckName(g.Name))
	if g.Family != Family {
		p.add("family", "must be %q, not %q", Family, g.Family)
	}
	checkDescription(&p, g.Description)
	for _, name := range sortedKeys(g.Parameters) {
		p.check("parameters."+name, CheckParameter(name, g.Parameters[name]))
	}
	checkTags(&p, g.Tags)
	return p
}

// CheckChange reports what cannot be changed: the name and the family.
func (g *ParameterGroup) CheckChange(next *ParameterGroup) Problems {
	p := sameName(g.Name, next.Name)
	if g.Family != next.Family {
		p.add("family", "cannot be changed: make another parameter group")
	}
	return p
}

func sameName(was, is string) Problems {
	var p Problems
	if was != is {
		p.add("name", "cannot be changed: make another one")
	}
	return p
}
