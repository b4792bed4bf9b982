/**
 * A world to explore, as it is written down: what there is, and who may act how often. Requests and scenarios have this
 * form, and so do the hosts and scripts that replay a path; the fields are explained in `schemas/exploration-model.ts`.
 */
import type { ActorKind, NmiTiming } from './vocabulary.js';

/** Hex or decimal text, or a number up to 2^53-1. */
export type U64Text = string | number;

export interface EventSpec {
  name?: string;
  cpu?: number;
  counter?: string;
  precise_ip?: number;
  exclude_host?: boolean;
  exclude_guest?: boolean;
  sample_period?: number;
  sample_freq?: number;
  large_pebs?: boolean;
  pebs_data_cfg?: U64Text;
  /** By name. */
  group_leader?: string;
  aux_output?: boolean;
  disabled?: boolean;
}

export interface WrmsrSpec {
  msr: string;
  value: U64Text;
}

export interface VcpuSpec {
  name?: string;
  vpmu?: boolean;
  pebs?: boolean;
  rtm?: boolean;
  cpu?: number;
  wrmsr?: WrmsrSpec[];
}

export interface ActorSpec {
  kind: ActorKind;
  /** Any number of times when left out. */
  budget?: number;
}

/** The host of a world. */
export interface HostSpec {
  cpu_model: string;
  kernel: string;
  microcode?: U64Text;
  stepping?: number;
  cpus?: number;
  options?: { group_throttle?: boolean; autoload_slots_taken?: number };
}

export interface WorldSpec extends HostSpec {
  events?: EventSpec[];
  vcpus?: VcpuSpec[];
  actors?: ActorSpec[];
  nmi_timing?: NmiTiming;
  nmi_in_e3?: boolean;
  /**
   * Whom a late NMI may throttle of the events whose overflow is latched: `all` of them, as where nothing is said, or also any
   * one alone. Requests cannot ask for it.
   */
  nmi_throttles?: 'all' | 'any';
  /**
   * `on_arrival`: an NMI outside the guest finds any overflows of active events, whether or not they could have been latched
   * before. Requests cannot ask for it.
   */
  nmi_overflows?: 'on_arrival';
  /** What guests may write to registers of their PMUs, instead of flipping bits. Requests cannot ask for it. */
  guest_writes?: WrmsrSpec[];
}
