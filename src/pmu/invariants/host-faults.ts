/** What is wrong where an invariant of host.ts is violated. */
import { COUNTERS, FIXED } from '../arch/counter-set.js';
import { running } from '../arch/hardware.js';
import { isRestartedByTick } from '../machine/tick-work.js';
import { ACTIVE, ADDED, counterSet, STOPPED } from '../perf/perf-event.js';
import {
  bitsOf,
  events,
  type FaultsOf,
  globalCtrlBits,
  ofEvent,
  onCpu,
  onEvent,
  onVcpu,
  STUCK,
  UNMARKED,
  UNVISITED,
  wholeRegister,
} from './fault.js';

export const hostFaults: Readonly<Record<string, FaultsOf>> = {
  I4: (_world, _state, cpu) =>
    bitsOf(
      cpu,
      'globalCtrl',
      cpu.cpuc.intelCtrlGuestMask & running(cpu.hardware),
      '{bits} {is} for the guest only and set in {place}',
      [onCpu(cpu, 'cpuc.intelCtrlGuestMask')],
    ),
  I5h: (_world, _state, cpu) =>
    wholeRegister(cpu, 'dsArea', cpu.cpuc.ds, [onCpu(cpu, 'cpuc.ds'), onVcpu(cpu, 'cpu')]),
  I6: (_world, _state, cpu) =>
    wholeRegister(cpu, 'pebsDataCfg', cpu.cpuc.activePebsDataCfg, [
      onCpu(cpu, 'cpuc.activePebsDataCfg'),
    ]),
  I7: (world, _state, cpu) => globalCtrlBits(world, cpu, -1),
  I7e: (world, _state, cpu) => globalCtrlBits(world, cpu, cpu.hardware.counterEnable),
  I16: (_world, _state, cpu) =>
    bitsOf(cpu, 'fixedCtrl', cpu.hardware.fixedCtrl & ~cpu.cpuc.fixedCtrl & FIXED, STUCK, [
      onCpu(cpu, 'cpuc.fixedCtrl'),
    ]),
  I17: (_world, state, cpu) =>
    events(state, (event, at) => {
      if (event.cpu !== cpu.index) {
        return [];
      }
      const off = counterSet(event) & COUNTERS & ~cpu.hardware.counterEnable;
      if (event.status === ACTIVE) {
        const says = '{event} is active and {bits} {is} not enabled';
        return bitsOf(cpu, 'counterEnable', off, says, [onEvent(at, 'status')]);
      }
      const says = '{event} is stopped without the mark of a throttled event';
      return event.status === STOPPED && event.mark === 0
        ? ofEvent(at, 'mark', 1, says, [onEvent(at, 'status')])
        : [];
    }),
  I18: (world, state, cpu) =>
    events(state, (event, at) =>
      event.status === STOPPED &&
      event.cpu === cpu.index &&
      !isRestartedByTick(world, state.events, at)
        ? ofEvent(at, 'status', ACTIVE, event.mark === 0 ? UNMARKED : UNVISITED, [])
        : [],
    ),
  I20: (_world, state, cpu) =>
    events(state, (event, at) => {
      const { pebsDataCfg } = cpu.hardware;
      const counts = event.status === ACTIVE && event.preciseIp > 0 && event.cpu === cpu.index;
      return counts && (event.dataCfg & ~pebsDataCfg) !== 0
        ? wholeRegister(
            cpu,
            'pebsDataCfg',
            pebsDataCfg | event.dataCfg,
            [onEvent(at, 'status')],
            'The records of {event} are too small: {place} is {value} and should be {desired}',
          )
        : [];
    }),
  I21: (_world, state, cpu) =>
    events(state, (event, at) => {
      if (event.status >= ADDED || event.cpu !== cpu.index) {
        return [];
      }
      return [
        ...(event.mark === 0
          ? []
          : ofEvent(at, 'mark', 0, '{event} is throttled and holds no counter', [])),
        ...(event.stray === 0
          ? []
          : ofEvent(at, 'stray', 0, '{event} was started and holds no counter', [])),
      ];
    }),
  I22: (_world, state, cpu) =>
    events(state, (event, at) =>
      event.status === ACTIVE && event.unseen !== 0 && event.cpu === cpu.index
        ? ofEvent(at, 'unseen', 0, '{event} is active and has no pointer in events[]', [])
        : [],
    ),
};
