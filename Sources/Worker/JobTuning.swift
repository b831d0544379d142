package import Foundation
package import JobModel
import Mailbox

/// What operators changed about kinds of jobs while the worker runs: how often they may begin, and how
/// long they may take.
///
/// A token bucket of one for each kind, as Celery's: a job that comes too early is given the next free
/// slot and put off until then, so that it holds no lane meanwhile. A slot belongs to whichever job of
/// that kind comes for it.
package final class JobTuning: Sendable {
    /// The limits of a kind, instead of those of its policy; `nil` leaves one to the policy.
    struct Limits: Sendable, Equatable {
        var soft: Duration?
        var hard: Duration?
    }

    /// The most slots given ahead for one kind; beyond, jobs are put off to the last one and look
    /// again.
    static let maximumSlots = 10_000
    /// How long a slot stays open for a job that comes late, at least: jobs that are put off are
    /// looked for every second.
    static let slotPatience = 5.0

    private struct Bucket {
        var next = Date.distantPast
        /// Given and not yet used, earliest first.
        var slots: [Date] = []
    }

    private struct State {
        var limits: [JobName: Limits] = [:]
        /// Rates that were set; a nil value is no limit.
        var rates: [JobName: RateLimit?] = [:]
        var buckets: [JobName: Bucket] = [:]
    }

    private let state = Locked(State())

    package init() {}

    // MARK: Time limits

    /// Sets the limits of a kind from now on; both `nil` returns it to its policy.
    func set(_ limits: Limits, for name: JobName) {
        state.withLock { $0.limits[name] = limits == Limits() ? nil : limits }
    }

    /// The limits that were set for a kind.
    func limits(of name: JobName) -> Limits? {
        state.withLock { $0.limits.isEmpty ? nil : $0.limits[name] }
    }

    // MARK: Rates

    /// Sets the rate of a kind from now on; `nil` is no limit.
    func set(_ rate: RateLimit?, for name: JobName) {
        state.withLock { state in
            state.rates.updateValue(rate, forKey: name)
            state.buckets[name] = nil
        }
    }

    /// How often jobs of a kind may begin, as its policy says or was set.
    func rate(of name: JobName, _ policy: JobPolicy) -> RateLimit? {
        state.withLock { state in
            guard !state.rates.isEmpty, let set = state.rates[name] else { return policy.rateLimit }
            return set
        }
    }

    /// Lets a job begin, with nil, or says when to come again.
    package func admit(
        _ name: JobName, _ policy: JobPolicy, at now: @autoclosure () -> Date
    ) -> Date? {
        guard let rate = rate(of: name, policy) else { return nil }
        let now = now()
        let interval = rate.interval.inSeconds
        return state.withLock { state in
            var bucket = state.buckets[name] ?? Bucket()
            defer { state.buckets[name] = bucket }
            let oldest = now.addingTimeInterval(-max(interval, Self.slotPatience))
            bucket.slots.removeAll { $0 < oldest }
            if let slot = bucket.slots.first, slot <= now {
                bucket.slots.removeFirst()
                return nil
            }
            guard bucket.next > now else {
                bucket.next = now.addingTimeInterval(interval)
                return nil
            }
            let slot = bucket.next
            guard bucket.slots.count < Self.maximumSlots else { return slot }
            bucket.slots.append(slot)
            bucket.next = slot.addingTimeInterval(interval)
            return slot
        }
    }
}
