# Whether a request may go on. Services ask for `data.http.authz.allow`.
#
# Input: method, path (the route's template), principal {subject, tenant_id, role, scopes,
# authentication_methods, authenticated_at}, tenant, resource {type, id}, time (RFC 3339),
# source {address}.
#
# Every condition must hold, and what is undefined does not: an input that lacks something, or a
# route that this bundle does not know, is denied. Routes, and what roles may have, are made from
# the declarations in the services' code (soma/data.json).
package http.authz

default allow := false

allow if {
	route_known
	tenant_own
	resource_declared
	scope_granted
	role_permits
}

route := data.soma.routes[sprintf("%s %s", [input.method, input.path])]

route_known if route

tenant_own if {
	input.tenant != ""
	input.principal.tenant_id == input.tenant
}

resource_declared if input.resource.type == route.resource

# Where everybody who has signed in acts on what is their own.
scope_granted if {
	route.scope == null
	input.principal.subject != ""
}

scope_granted if route.scope in input.principal.scopes

# A service has no role: its scopes alone say what it may do.
role_permits if input.principal.role == null

role_permits if route.scope in data.soma.roles[input.principal.role]

role_permits if {
	route.scope == null
	data.soma.roles[input.principal.role]
}

# Why a request was denied, for the log.
denied_by contains "route_unknown" if not route_known

denied_by contains "tenant_foreign" if not tenant_own

denied_by contains "resource_undeclared" if {
	route_known
	not resource_declared
}

denied_by contains "scope_missing" if {
	route_known
	not scope_granted
}

denied_by contains "role_forbids" if {
	route_known
	not role_permits
}
