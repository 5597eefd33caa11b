#pragma once
// A doubly linked ring through its members: no allocation, O(1) removal from wherever a member is. A member leaves
// its list when it is destroyed; the list owns nothing.

namespace vipair::proxy {

class ListHook {
 public:
  ListHook() = default;
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;
  ~ListHook() { unlink(); }

  bool is_linked() const { return next_ != this; }
  void unlink() {
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = this;
  }

 private:
  template <class T>
  friend class IntrusiveList;
  ListHook* next_ = this;
  ListHook* previous_ = this;
};

template <class T>  // T derives from ListHook
class IntrusiveList {
 public:
  ~IntrusiveList() { clear(); }
  bool empty() const { return !head_.is_linked(); }
  void push_back(T& member) {
    ListHook& hook = member;
    hook.unlink();
    hook.previous_ = head_.previous_;
    hook.next_ = &head_;
    head_.previous_->next_ = &hook;
    head_.previous_ = &hook;
  }
  T* front() { return empty() ? nullptr : static_cast<T*>(head_.next_); }
  const T* front() const { return empty() ? nullptr : static_cast<const T*>(head_.next_); }
  T* pop_front() {
    if (empty()) return nullptr;
    T* member = static_cast<T*>(head_.next_);
    head_.next_->unlink();
    return member;
  }
  T* pop_back() {
    if (empty()) return nullptr;
    T* member = static_cast<T*>(head_.previous_);
    head_.previous_->unlink();
    return member;
  }
  // Moves all members of `other` to the end of this list.
  void take(IntrusiveList& other) {
    if (other.empty()) return;
    ListHook* first = other.head_.next_;
    ListHook* last = other.head_.previous_;
    other.head_.next_ = other.head_.previous_ = &other.head_;
    first->previous_ = head_.previous_;
    head_.previous_->next_ = first;
    last->next_ = &head_;
    head_.previous_ = last;
  }
  // `visit` may unlink or destroy the member it is given, no other.
  template <class F>
  void for_each(F visit) {
    for (ListHook* at = head_.next_; at != &head_;) {
      ListHook* next = at->next_;
      visit(*static_cast<T*>(at));
      at = next;
    }
  }
  template <class F>
  void for_each(F visit) const {
    for (const ListHook* at = head_.next_; at != &head_; at = at->next_) visit(*static_cast<const T*>(at));
  }
  void clear() {
    while (head_.is_linked()) head_.next_->unlink();
  }

 private:
  ListHook head_;
};

}  // namespace vipair::proxy
