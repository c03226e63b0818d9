"""The tensor operations that a program may use: they compute with tensors and do nothing else.

PyTorch looks an operation up by its name, in itself: `torch.os.system` would be found too, and `aten.from_file` opens files. So
the names are written down. Left out on purpose: what reads or writes files, draws random numbers, learns, or changes how tensors
lie in memory without looking.
"""

from __future__ import annotations

import re

_NAMES = """
abs absolute acos acosh adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d
adaptive_max_pool2d add addbmm addcdiv addcmul addmm addmv alias all alpha_dropout amax amin aminmax any arange argmax
argmin argsort as_strided asin asinh atan atan2 atanh avg_pool1d avg_pool2d avg_pool3d baddbmm batch_norm bilinear
bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor bmm broadcast_tensors broadcast_to
bucketize cat cdist ceil celu channel_shuffle chunk clamp clamp_max clamp_min clip clone col2im column_stack concat
concatenate constant_pad_nd contiguous conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d
convolution copy copysign cos cosh cosine_similarity count_nonzero cross cummax cummin cumprod cumsum deg2rad detach
diag diag_embed diagonal diff digamma div divide dot dropout einsum elu embedding embedding_bag empty empty_like
empty_permuted empty_strided eq erf erfc erfinv exp exp2 expand expand_as expm1 eye feature_dropout fill flatten flip
fliplr flipud float_power floor floor_divide fmax fmin fmod frac full full_like gather ge gelu glu greater greater_equal
grid_sampler grid_sampler_2d group_norm gru gru_cell gt hardshrink hardsigmoid hardswish hardtanh heaviside histc hstack
hypot i0 im2col index index_add index_copy index_fill index_put index_select inner instance_norm isclose isfinite isinf
isnan item kron layer_norm le leaky_relu lerp less less_equal lgamma lift_fresh_copy linalg_cross linalg_matrix_norm
linalg_norm linalg_vecdot linalg_vector_norm linear linspace log log10 log1p log2 log_sigmoid log_softmax logaddexp
logaddexp2 logcumsumexp logical_and logical_not logical_or logical_xor logit logsumexp lstm lstm_cell lt masked_fill
masked_scatter masked_select matmul max max_pool1d max_pool2d max_pool2d_with_indices max_pool3d maximum mean median
meshgrid min minimum mish mm movedim mse_loss mul multiply mv nan_to_num nanmean nanmedian nansum narrow
native_batch_norm native_channel_shuffle native_group_norm native_layer_norm ne neg negative new_empty new_full new_ones
new_zeros nonzero norm not_equal numel one_hot ones ones_like outer pad pairwise_distance permute pixel_shuffle
pixel_unshuffle positive pow prelu prod quantile rad2deg real reciprocal reflection_pad1d reflection_pad2d
reflection_pad3d relu relu6 remainder repeat repeat_interleave replication_pad1d replication_pad2d replication_pad3d
reshape reshape_as rms_norm rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell roll rot90 round row_stack rrelu rsqrt rsub
scalar_tensor scaled_dot_product_attention scatter scatter_add scatter_reduce searchsorted select select_scatter selu
sgn sigmoid sign signbit silu sin sinc sinh size slice slice_scatter softmax softplus softshrink sort special_erf
special_expit special_log1p special_ndtr split split_with_sizes sqrt square squeeze stack std std_mean sub subtract sum
swapaxes swapdims sym_is_contiguous sym_numel sym_size sym_storage_offset sym_stride t take take_along_dim tan tanh
tensor_split tensordot threshold tile to topk transpose tril tril_indices triu triu_indices true_divide trunc type_as
unbind unflatten unfold unsafe_chunk unsafe_split unsqueeze upsample_bicubic2d upsample_bilinear2d upsample_linear1d
upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_trilinear3d var var_mean view view_as vstack where
xlogy zeros zeros_like _adaptive_avg_pool2d _adaptive_avg_pool3d _assert_scalar _assert_tensor_metadata _cdist_forward
_convolution _embedding_bag _log_softmax _native_batch_norm_legit _native_batch_norm_legit_no_training _safe_softmax
_softmax _to_copy _unsafe_index _unsafe_view
"""
_ATEN = frozenset(_NAMES.split())
# Sizes are computed with Python's own operators.
_OTHERS = frozenset(
    {
        *(
            f"_operator.{name}"
            for name in ("add", "and_", "eq", "floordiv", "ge", "getitem", "gt", "le", "lt", "mod", "mul", "ne")
        ),
        *(f"_operator.{name}" for name in ("neg", "or_", "pos", "sub", "truediv")),
        *(f"math.{name}" for name in ("ceil", "floor", "sqrt", "trunc")),
        *(f"torch.{name}" for name in ("sym_float", "sym_int", "sym_ite", "sym_max", "sym_min", "sym_not", "sym_sqrt")),
    }
)
_IN_ATEN = re.compile(r"torch\.ops\.aten\.([a-z0-9_]+)\.([A-Za-z0-9_]+)")


def is_allowed(target: str) -> bool:
    """Whether a program may call this. `relu_` is `relu` in place."""
    if target in _OTHERS:
        return True
    found = _IN_ATEN.fullmatch(target)
    return found is not None and (found[1] in _ATEN or (found[1].endswith("_") and found[1][:-1] in _ATEN))
