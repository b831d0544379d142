import Broker
import JobModel
import Mailbox
package import Telemetry

/// The deliveries this process holds, from reserve to settle: what its lease renewal covers.
package final class HeldLeases: Sendable {
    /// Those of one reservation, by their numbers; a lease with a tag of its own has none.
    private struct Reservation {
        var numbers: Set<Int> = []
        var isWhole = false

        var count: Int { numbers.count + (isWhole ? 1 : 0) }

        mutating func set(_ number: Int?, isHeld: Bool) {
            guard let number else {
                isWhole = isHeld
                return
            }
            if isHeld { numbers.insert(number) } else { numbers.remove(number) }
        }
    }

    private struct State {
        /// By what their tags begin with: most come and go in long rows of one reservation.
        var reservations: [String: Reservation] = [:]
        var count = 0
    }

    private let state = Locked(State())
    private let metrics: WorkerMetrics?

    package init(metrics: WorkerMetrics? = nil) { self.metrics = metrics }

    /// Adds what was just reserved.
    func add(_ deliveries: [Delivery]) { change(deliveries, isHeld: true) }

    /// Strikes out what was settled, or found lost.
    func remove(_ deliveries: some Collection<Delivery>) { change(deliveries, isHeld: false) }

    private func change(_ deliveries: some Collection<Delivery>, isHeld: Bool) {
        let count = state.withLock { state in
            var rest = deliveries[...]
            while let first = rest.first?.lease {
                let row = rest.prefix { $0.lease.prefix == first.prefix }
                rest = rest.dropFirst(row.count)
                var reservation =
                    state.reservations.removeValue(forKey: first.prefix)
                    ?? Reservation()
                state.count -= reservation.count
                if isHeld { reservation.numbers.reserveCapacity(row.count) }
                for delivery in row { reservation.set(delivery.lease.number, isHeld: isHeld) }
                state.count += reservation.count
                if reservation.count > 0 { state.reservations[first.prefix] = reservation }
            }
            return state.count
        }
        metrics?.set(.deliveriesHeld, to: count)
    }

    /// Everything held now.
    package var all: [String] {
        let reservations = state.withLock { $0.reservations }
        return reservations.flatMap { prefix, reservation in
            reservation.numbers.map { Lease($0, of: prefix, fence: .none).tag }
                + (reservation.isWhole ? [prefix] : [])
        }
    }

    /// How many are held now.
    package var count: Int { state.withLock { $0.count } }
}
