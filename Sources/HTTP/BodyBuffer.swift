/// A request's body in memory that stays in place, used again for the next one.
///
/// Threading: belongs to the driver's thread. Ownership: one block, freed in `deinit`; libcurl only
/// reads it, while the transfer it was filled for is under way.
@safe
final class BodyBuffer {
    /// The room that is kept from one request to the next, bytes.
    private static let keptBytes = 8 * 1024

    private var room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1024, alignment: 1)

    deinit { unsafe room.deallocate() }

    /// Whether it occupies more than should be kept.
    var isLarge: Bool { unsafe room.count > Self.keptBytes }

    /// Replaces what it held; the answer is valid until the next call, and never nil.
    func fill(_ bytes: [UInt8]) -> UnsafeMutableRawPointer? {
        if unsafe room.count < bytes.count { resize(bytes.count) }
        unsafe bytes.withUnsafeBytes { unsafe room.copyMemory(from: $0) }
        return unsafe room.baseAddress
    }

    /// Gives its room back but for what is kept.
    func empty() { resize(Self.keptBytes) }

    private func resize(_ count: Int) {
        unsafe room.deallocate()
        unsafe room = .allocate(byteCount: count, alignment: 1)
    }
}
