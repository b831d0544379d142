/// Named places in a body where a test may cut it off, as a kill would; inert in production.
package struct Checkpoints: Sendable {
    /// Never cuts anything off.
    package static let none = Checkpoints { _ in }

    private let reached: @Sendable (String) throws -> Void

    /// Calls `reached` with the name of each place that a body passes; what it throws ends the body.
    package init(_ reached: @escaping @Sendable (String) throws -> Void) {
        self.reached = reached
    }

    func pass(_ name: String) throws { try reached(name) }
}
