import { describe, expect, it } from '@jest/globals';
import { strictSchemas } from './kubernetes-schemas.ts';

const INT_OR_STRING = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';
const description = {
  definitions: {
    Deployment: {
      properties: { spec: { $ref: '#/definitions/Spec' } },
      'x-kubernetes-group-version-kind': [{ group: 'apps', version: 'v1', kind: 'Deployment' }],
    },
    Spec: { properties: { surge: { $ref: `#/definitions/${INT_OR_STRING}` } } },
    Service: {
      properties: {},
      'x-kubernetes-group-version-kind': [{ group: '', version: 'v1', kind: 'Service' }],
    },
    [INT_OR_STRING]: { type: 'string' },
  },
};

describe('strictSchemas', () => {
  it('names each kind as kubeconform asks for it', () => {
    expect([...strictSchemas(description).keys()]).toEqual(['deployment-apps-v1', 'service-v1']);
  });

  it('refuses unknown fields at every level, and takes numbers where Kubernetes does', () => {
    expect(strictSchemas(description).get('deployment-apps-v1')).toMatchObject({
      $ref: '#/definitions/Deployment',
      definitions: {
        Deployment: { additionalProperties: false },
        Spec: { additionalProperties: false },
        [INT_OR_STRING]: { type: ['string', 'number'] },
      },
    });
  });
});
