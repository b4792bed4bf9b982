/** What Prometheus can scrape here, as its HTTP service discovery wants it. */
import type { Host } from '../../../schemas/host.js';
import type { Targets } from '../../../schemas/monitoring.js';

/** The service under the address by which it was asked, and each host as a target of its own. */
export function targetsOf(
  address: { readonly authority: string; readonly protocol: string },
  role: string,
  hosts: readonly Host[],
): Targets {
  const targets = [address.authority];
  const scheme = address.protocol === 'https' ? { __scheme__: 'https' } : {};
  return [
    { targets, labels: { ...scheme, role } },
    ...hosts.map(({ id, name, kernel, cpu_model, platform_class }) => ({
      targets,
      labels: {
        ...scheme,
        __metrics_path__: `/v1/hosts/${id}/metrics`,
        host: id,
        ...(name === undefined ? {} : { host_name: name }),
        kernel,
        cpu_model,
        platform_class,
      },
    })),
  ];
}
