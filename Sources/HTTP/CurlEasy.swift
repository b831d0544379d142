internal import CCurl

/// One libcurl easy handle: set for a transfer, read when it is over, used again for the next.
///
/// Threading: belongs to the driver's thread. Ownership: freed in `deinit`; it must have been taken
/// out of its multi handle before. See libcurl-easy(3) and curl_easy_setopt(3).
@safe
final class CurlEasy {
    // Invariant: a live handle from init to deinit.
    private let handle: UnsafeMutableRawPointer
    private let headerList = HeaderList()

    init() {
        guard let handle = unsafe curl_easy_init() else {
            preconditionFailure("curl_easy_init failed: out of memory")
        }
        unsafe self.handle = handle
    }

    deinit { unsafe curl_easy_cleanup(handle) }

    /// The handle's address: a name for it, not a way in.
    var identity: Int { Int(bitPattern: unsafe handle) }

    /// Forgets all options; connections stay with the multi handle.
    func reset() { unsafe curl_easy_reset(handle) }

    /// Gives the handle to a C call on the same thread; it must not be kept.
    @unsafe
    func withHandle<Answer>(_ body: (UnsafeMutableRawPointer) -> Answer) -> Answer {
        unsafe body(handle)
    }

    func set(_ option: CURLoption, _ value: Int) {
        check(unsafe curl_set_long(handle, option, value), option)
    }

    func set(_ option: CURLoption, bytes value: Int) {
        check(unsafe curl_set_size(handle, option, curl_off_t(value)), option)
    }

    func set(_ option: CURLoption, _ value: String) {
        check(unsafe curl_set_text(handle, option, value), option)
    }

    /// libcurl takes milliseconds, and zero for "no limit": never zero.
    func set(_ option: CURLoption, _ value: Duration) {
        let (seconds, attoseconds) = value.components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        set(option, Int(min(max(milliseconds, 1), Int64(Int32.max))))
    }

    /// Copies `bytes` as the request's body.
    func setBody(_ bytes: [UInt8]) {
        set(CURLOPT_POSTFIELDSIZE_LARGE, bytes: bytes.count)
        // An empty array may have no address, which libcurl would take for "no body set".
        let code =
            bytes.isEmpty
            ? unsafe curl_set_body(handle, "")
            : unsafe bytes.withUnsafeBytes { unsafe curl_set_body(handle, $0.baseAddress) }
        check(code, CURLOPT_COPYPOSTFIELDS)
    }

    /// Lets go of the body, which may be large.
    func dropBody() {
        check(unsafe curl_set_body(handle, nil), CURLOPT_COPYPOSTFIELDS)
    }

    /// Sets the header lines; they must not be set again while the transfer is under way.
    func setHeaders(_ lines: HeaderLines) {
        unsafe check(
            curl_set_list(handle, CURLOPT_HTTPHEADER, headerList.fill(lines)), CURLOPT_HTTPHEADER)
    }

    func integer(_ info: CURLINFO) -> Int {
        var value = 0
        return unsafe curl_get_long(handle, info, &value) == CURLE_OK ? value : 0
    }

    func size(_ info: CURLINFO) -> Int64 {
        var value = curl_off_t(0)
        return unsafe curl_get_size(handle, info, &value) == CURLE_OK ? Int64(value) : 0
    }

    func text(_ info: CURLINFO) -> String? {
        var value: UnsafeMutablePointer<CChar>?
        guard unsafe curl_get_text(handle, info, &value) == CURLE_OK, let value = unsafe value
        else { return nil }
        return unsafe String(cString: value)
    }

    /// An option that is refused is unknown to this libcurl or out of memory: a request without it
    /// could be unsafe, so the process stops.
    private func check(_ code: CURLcode, _ option: CURLoption) {
        precondition(
            code == CURLE_OK, "libcurl refused option \(option.rawValue): \(code.rawValue)")
    }
}
