/**
 * PostgreSQL's settings, given on the command line at every start, so that nothing in the cluster
 * needs editing when they change.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  // A request is answered only after its change is on disk.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  shared_buffers: '96MB',
  min_wal_size: '32MB',
  max_wal_size: '256MB',
  checkpoint_timeout: '5min',
  // Compiling a query and sharing it out cost more than they gain on data of this size, and
  // containers often have little of the shared memory that parallel queries need.
  jit: 'off',
  max_parallel_workers_per_gather: '0',
  // The queries of a service that was killed end soon after it, and their locks with them.
  client_connection_check_interval: '2s',
  logging_collector: 'off',
  log_checkpoints: 'off',
  log_timezone: 'UTC',
  TimeZone: 'UTC',
};

export function settingsFor(
  port: number,
  own: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  return { ...SETTINGS, ...own, port: String(port) };
}
