internal import CCurl

/// Header lines one behind the other, each ended by a zero byte, as C wants them.
struct HeaderLines: Sendable {
    private(set) var bytes: [UInt8] = []
    /// Where each line begins.
    private(set) var starts: [Int] = []

    init() {
        bytes.reserveCapacity(512)
        starts.reserveCapacity(10)
    }

    /// Adds a line, given in pieces, none of which may hold a zero byte.
    mutating func append(_ first: String, _ second: String = "", _ third: String = "") {
        starts.append(bytes.count)
        bytes.append(contentsOf: first.utf8)
        bytes.append(contentsOf: second.utf8)
        bytes.append(contentsOf: third.utf8)
        bytes.append(0)
    }
}

/// The same lines as libcurl's list, in memory that is used again for the next request.
///
/// Threading: belongs to the driver's thread. Ownership: two blocks, freed in `deinit`; libcurl only
/// reads them, while the transfer they were filled for is under way. See curl_slist_append(3).
@safe
final class HeaderList {
    private var text = UnsafeMutableBufferPointer<CChar>.allocate(capacity: 1024)
    private var nodes = UnsafeMutableBufferPointer<curl_slist>.allocate(capacity: 16)

    deinit {
        unsafe text.deallocate()
        unsafe nodes.deallocate()
    }

    /// Replaces what it held; the answer is valid until the next call.
    func fill(_ lines: HeaderLines) -> UnsafeMutablePointer<curl_slist>? {
        reserve(bytes: lines.bytes.count, lines: lines.starts.count)
        unsafe lines.bytes.withUnsafeBytes { bytes in
            unsafe UnsafeMutableRawBufferPointer(text).copyMemory(from: bytes)
        }
        for (line, start) in lines.starts.enumerated() {
            let isLast = line + 1 == lines.starts.count
            let data = unsafe text.baseAddress.map { unsafe $0 + start }
            let next = unsafe isLast ? nil : nodes.baseAddress.map { unsafe $0 + line + 1 }
            unsafe nodes.initializeElement(at: line, to: curl_slist(data: data, next: next))
        }
        return unsafe lines.starts.isEmpty ? nil : nodes.baseAddress
    }

    private func reserve(bytes: Int, lines: Int) {
        if unsafe text.count < bytes {
            unsafe text.deallocate()
            unsafe text = .allocate(capacity: bytes)
        }
        if unsafe nodes.count < lines {
            unsafe nodes.deallocate()
            unsafe nodes = .allocate(capacity: lines)
        }
    }
}
