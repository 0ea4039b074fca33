package http.authz_test

import data.http.authz

routes := {
	"GET /v1/session/{id}": {"scope": "sessions:read", "resource": "session"},
	"POST /v1/personas": {"scope": "personas:write", "resource": "persona"},
	"POST /v1/account": {"scope": null, "resource": "account"},
}

roles := {
	"admin": ["sessions:read", "personas:write"],
	"viewer": ["sessions:read"],
}

ann := {
	"subject": "ann",
	"tenant_id": "acme",
	"role": "viewer",
	"scopes": ["sessions:read", "personas:write"],
}

reading := {
	"method": "GET",
	"path": "/v1/session/{id}",
	"principal": ann,
	"tenant": "acme",
	"resource": {"type": "session", "id": "s1"},
	"time": "2026-01-01T00:00:00Z",
	"source": {"address": "192.0.2.1"},
}

writing := object.union(reading, {
	"method": "POST",
	"path": "/v1/personas",
	"resource": {"type": "persona", "id": null},
})

changed(request, change) := object.union(request, change)

acting(request, change) := changed(request, {"principal": object.union(request.principal, change)})

test_what_scope_and_role_give_is_allowed if {
	authz.allow with input as reading with data.soma.routes as routes with data.soma.roles as roles
}

test_nothing_is_said_against_what_is_allowed if {
	count(authz.denied_by) == 0 with input as reading
		with data.soma.routes as routes
		with data.soma.roles as roles
}

test_an_empty_input_is_denied if {
	not authz.allow with input as {} with data.soma.routes as routes with data.soma.roles as roles
}

test_without_data_everything_is_denied if {
	not authz.allow with input as reading with data.soma as {}
}

test_each_part_of_the_input_is_needed if {
	every part in ["method", "path", "principal", "tenant", "resource"] {
		not authz.allow with input as object.remove(reading, [part])
			with data.soma.routes as routes
			with data.soma.roles as roles
	}
}

test_each_part_of_the_principal_is_needed if {
	every part in ["tenant_id", "scopes", "role"] {
		request := changed(object.remove(reading, ["principal"]), {"principal": object.remove(ann, [part])})
		not authz.allow with input as request with data.soma.routes as routes with data.soma.roles as roles
	}
}

test_an_unknown_route_is_denied if {
	request := changed(reading, {"path": "/v1/session/{id}/secrets"})
	not authz.allow with input as request with data.soma.routes as routes with data.soma.roles as roles
	authz.denied_by == {"route_unknown"} with input as request
		with data.soma.routes as routes
		with data.soma.roles as roles
}

test_another_method_is_another_route if {
	request := changed(reading, {"method": "DELETE"})
	not authz.allow with input as request with data.soma.routes as routes with data.soma.roles as roles
}

test_an_address_is_no_template if {
	every path in ["/v1/session/s1", "/v1/session/{id}/", "//v1/session/{id}", "/V1/session/{id}"] {
		not authz.allow with input as changed(reading, {"path": path})
			with data.soma.routes as routes
			with data.soma.roles as roles
	}
}

test_another_tenant_is_denied if {
	request := changed(reading, {"tenant": "globex"})
	not authz.allow with input as request with data.soma.routes as routes with data.soma.roles as roles
	authz.denied_by == {"tenant_foreign"} with input as request
		with data.soma.routes as routes
		with data.soma.roles as roles
}

test_a_tenant_without_a_name_is_denied if {
	request := acting(changed(reading, {"tenant": ""}), {"tenant_id": ""})
	not authz.allow with input as request with data.soma.routes as routes with data.soma.roles as roles
}

test_another_resource_is_denied if {
	request := changed(reading, {"resource": {"type": "persona", "id": "s1"}})
	authz.denied_by == {"resource_undeclared"} with input as request
		with data.soma.routes as routes
		with data.soma.roles as roles
}

test_a_missing_scope_is_denied if {
	request := acting(reading, {"scopes": ["sessions:write"]})
	authz.denied_by == {"scope_missing"} with input as request
		with data.soma.routes as routes
		with data.soma.roles as roles
}

test_a_part_of_a_scope_is_not_the_scope if {
	every scope in ["sessions", "sessions:", "sessions:read ", "sessions:*", "*"] {
		not authz.allow with input as acting(reading, {"scopes": [scope]})
			with data.soma.routes as routes
			with data.soma.roles as roles
	}
}

test_a_scope_that_the_role_does_not_allow_is_denied if {
	authz.denied_by == {"role_forbids"} with input as writing
		with data.soma.routes as routes
		with data.soma.roles as roles
}

test_a_role_that_allows_it_is_allowed if {
	authz.allow with input as acting(writing, {"role": "admin"})
		with data.soma.routes as routes
		with data.soma.roles as roles
}

test_an_unknown_role_is_denied if {
	not authz.allow with input as acting(reading, {"role": "root"})
		with data.soma.routes as routes
		with data.soma.roles as roles
}

test_a_service_is_judged_by_its_scopes if {
	authz.allow with input as acting(writing, {"role": null})
		with data.soma.routes as routes
		with data.soma.roles as roles
	not authz.allow with input as acting(writing, {"role": null, "scopes": []})
		with data.soma.routes as routes
		with data.soma.roles as roles
}

test_everybody_acts_on_what_is_their_own if {
	request := changed(
		acting(reading, {"scopes": []}),
		{"method": "POST", "path": "/v1/account", "resource": {"type": "account", "id": null}},
	)
	authz.allow with input as request with data.soma.routes as routes with data.soma.roles as roles
	not authz.allow with input as acting(request, {"subject": ""})
		with data.soma.routes as routes
		with data.soma.roles as roles
}
