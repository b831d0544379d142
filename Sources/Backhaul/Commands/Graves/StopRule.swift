import ArgumentParser

/// When a replay stops by itself: after so many of its jobs have failed again.
enum StopRule: Sendable, Equatable, ExpressibleByArgument {
    case count(Int)
    case percent(Double)

    /// Below so many put back a percentage says nothing.
    static let smallestSample = 20

    init?(argument: String) {
        if argument.hasSuffix("%") {
            guard let percent = Double(argument.dropLast()), percent > 0, percent <= 100 else {
                return nil
            }
            self = .percent(percent)
        } else {
            guard let count = Int(argument), count > 0 else { return nil }
            self = .count(count)
        }
    }

    /// Whether it is time to stop.
    func isPassed(cameBack: Int, replayed: Int) -> Bool {
        switch self {
        case .count(let count): cameBack >= count
        case .percent(let percent):
            replayed >= Self.smallestSample
                && Double(cameBack) * 100 > percent * Double(replayed)
        }
    }
}
