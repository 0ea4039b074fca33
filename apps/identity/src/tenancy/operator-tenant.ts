/**
 * Under this token is the tenant whose services may create others, and in whose log stands what concerns
 * none, or none that is known yet.
 */
export const OPERATOR_TENANT = Symbol('OPERATOR_TENANT');
